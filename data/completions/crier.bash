# Completion of crier(1) for bash, 4.2 or newer, without bash-completion.
#
# Topic names are untrusted text: they may contain spaces, quotes and $(...). So the
# command line is parsed here, character by character, and never evaluated, and a
# completion is quoted for its place in the line. (readline's "filenames" would also
# quote, but takes a topic for the directory of the same name.)

# Prints a command's options, each with the kind of its value, if it has one: a value, a
# file, or a command, which is the rest of the line.
_crier_options()
{
    local common='--server=value --token=value --token-file=file -H=value
        --header=value --cacert=file --cert=file --key=file -k --insecure
        -v --verbose --help'

    case $1 in
    sub) echo "--since=all --last-event-id=value --once --state=file
        --count=value --timeout=value --event=value --json --exec=command
        --method=value --data=value --retry=value --reconnect --no-reconnect
        -q --quiet $common" ;;
    pub) echo "--lines --json --event=value --id=value --dedupe --private --last
        --retry=value --timeout=value -q --quiet $common" ;;
    topics) echo "--json $common" ;;
    export) echo "-o=file --output=file --after=value -q --quiet $common" ;;
    import) echo "--timeout=value -q --quiet $common" ;;
    ping) echo "--timeout=value -q --quiet $common" ;;
    token) echo '--key=value --publish=value --subscribe=value --admin
        --expires=never --payload=value --subject=value --audience=value
        --issuer=value --kid=value --help' ;;
    esac
}

# Splits the line up to the cursor like the shell, without expanding anything. Sets
# `words`, of which the last one is completed; `quote`, its open quote; `held`, the part
# of it that readline does not replace; `mixed`, if its quoting cannot be continued; and
# `redirected`, if it is the file of a redirection.
_crier_split()
{
    local line=${COMP_LINE:0:COMP_POINT} word='' began='' next i c

    words=() quote='' held='' mixed='' redirected=''
    for ((i = 0; i < ${#line}; i++)); do
        c=${line:i:1} next=${line:i+1:1}
        case $quote$c in
        \'\' | \"\") quote='' mixed=1 ;;
        \"\\)
            case $next in
            [\"\$\`\\]) word+=$next i=$((i + 1)) ;;
            *) word+=$c ;;
            esac
            ;;
        [\'\"]?) word+=$c ;;
        [\'\"]) quote=$c held=$word began=1 ;;
        \\) word+=$next i=$((i + 1)) began=1 ;;
        [\<\>])
            # the number in "2>" is not a word
            if [[ $began && ! $redirected && $word != +([0-9]) ]]; then
                words+=("$word")
            fi
            word='' began='' held='' mixed='' redirected=1
            ;;
        [[:space:]])
            if [[ $began && ! $redirected ]]; then words+=("$word"); fi
            if [[ $began ]]; then redirected=''; fi
            word='' began='' held='' mixed=''
            ;;
        *)
            word+=$c began=1
            if [[ $COMP_WORDBREAKS == *"$c"* ]]; then held=$word; fi
            ;;
        esac
    done
    words+=("$word")
}

# Offers $1: the part that readline does not have yet, quoted for the line.
_crier_offer()
{
    local name=${1#"$held"} from to

    case $quote in
    \')
        to="'\\''"
        name=${name//\'/"$to"}
        ;;
    \")
        for from in \\ \" \$ \`; do
            to=\\$from
            name=${name//"$from"/"$to"}
        done
        to="\"'!'\"" # between double quotes nothing else stops it
        name=${name//!/"$to"}
        ;;
    *)
        if [[ $name ]]; then printf -v name %q "$name"; fi
        name=${name//\\,/,} # also right, but hard to read
        ;;
    esac
    COMPREPLY+=("$name")
}

# Offers the topics of the server. $1 is crier, the rest are options to reach the server.
# Of "a,b", b is completed.
_crier_topics()
{
    local crier=$1 word=${words[-1]} list='' name

    shift
    if [[ $mixed || $word == *://* ]]; then return; fi
    if [[ $word == *,* ]]; then list=${word%,*},; fi
    word=${word#"$list"}
    while IFS=$'\t' read -r name _; do
        if [[ $name == "$word"* && $name != *[[:cntrl:]]* ]] &&
            [[ $name != -* || $list || $ended ]]; then
            _crier_offer "$list$name"
        fi
    done < <(timeout 2 "$crier" topics "$@" -- "$word*" \
        </dev/null 2>/dev/null | head -n 1000)
}

# Sets `takes` to the kind of value of the option $2 of the command $1; fails if it takes
# no value.
_crier_takes()
{
    local option

    for option in $(_crier_options "$1"); do
        takes=${option#*=}
        if [[ $option == "$2="* ]]; then return 0; fi
    done
    return 1
}

# Scans the words before the last one. Sets `value` to the kind of the last one if it is
# the value of an option, `arguments` to the number of arguments before it, `ended` after
# --, and `server` to the options to reach the server.
_crier_scan()
{
    local i word next takes last=$((${#words[@]} - 1))

    value='' arguments=0 ended='' server=()
    for ((i = 2; i < last; i++)); do
        word=${words[i]} next=${words[i + 1]}
        case $ended$word in
        --) ended=1 ;;
        -k | --insecure | -H?* | --server=* | --token=* | --token-file=* | \
            --header=* | --cacert=* | --cert=* | --key=*) server+=("$word") ;;
        -?*)
            _crier_takes "${words[1]}" "$word" || continue
            i=$((i + 1))
            if ((i == last)); then
                value=$takes
            elif [[ $takes == command ]]; then
                value='file' # the command may want something else
                return
            fi
            if [[ $next == \~/* ]]; then next=$HOME/${next#*/}; fi
            case $word in
            --server | --token | --token-file | -H | --header | --cacert | \
                --cert | --key)
                server+=("$word" "$next") ;;
            esac
            ;;
        *) arguments=$((arguments + 1)) ;;
        esac
    done
}

# Offers those of the words $1 that begin with the last one.
_crier_words()
{
    if [[ ! $quote$mixed$held ]]; then
        mapfile -t COMPREPLY < <(compgen -W "$1" -- "${words[-1]}")
    fi
}

# Offers values of the kind $1.
_crier_value()
{
    case $1 in
    all | never) _crier_words "$1" ;;
    command) mapfile -t COMPREPLY < <(compgen -c -- "${words[-1]}") ;;
    file) compopt -o default ;; # readline completes files
    esac
}

_crier()
{
    local IFS=$' \t\n' words quote held mixed redirected
    local value arguments ended server takes command word option options crier=$1

    COMPREPLY=()
    _crier_split
    _crier_scan
    command=${words[1]} word=${words[-1]}
    if [[ ! $(type -P -- "$crier") ]]; then crier=crier; fi # for example an alias
    if [[ $redirected ]]; then
        compopt -o default
    elif ((${#words[@]} == 2)); then
        _crier_words 'sub pub topics export import ping token help'
        if [[ $word == -* ]]; then _crier_words '--help --version'; fi
    elif [[ $value ]]; then
        _crier_value "$value"
    elif [[ ! $ended && $word == --*=* ]]; then
        if _crier_takes "$command" "${word%%=*}"; then _crier_value "$takes"; fi
    elif [[ ! $ended && $word == -* ]]; then
        for option in $(_crier_options "$command"); do
            options+=" ${option%%=*}"
        done
        _crier_words "$options"
    elif [[ $command == help ]]; then
        _crier_words 'sub pub topics export import ping token'
    elif [[ $command == token && $arguments == 0 ]]; then
        _crier_words 'show hash'
    elif [[ $command == @(sub|topics) || $command == pub && $arguments == 0 ]]
    then
        _crier_topics "$crier" "${server[@]}"
    elif [[ $command == import && $arguments == 0 ]]; then
        compopt -o default
    fi
}

complete -F _crier crier
