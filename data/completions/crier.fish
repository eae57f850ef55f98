# Completion of crier(1) for fish.
#
# A topic's name is anybody's text: it may hold spaces, quotes and $(...). fish
# quotes what it puts in, and nothing here is evaluated.

# Whether the command is one of those named and the line is still crier's: what
# follows --exec is not.
function __crier_command
    set -l words (commandline -opc)
    contains -- "$words[2]" $argv
    and not contains -- --exec $words
end

# Whether the command itself is still to come.
function __crier_first
    test (count (commandline -opc)) -eq 1
end

# Whether this belongs to the command of --exec.
function __crier_exec
    set -l words (commandline -opc)
    test "$words[2]" = sub
    and contains -- --exec $words
end

# Offers what that command's own completion does.
function __crier_exec_complete
    set -l words (commandline -opc)
    set -l at (contains --index -- --exec $words)
    set -e words[1..$at]
    complete -C (string join -- ' ' (string escape -- $words) (commandline -ct))
end

# How many arguments come before the cursor.
function __crier_arguments
    set -l words (commandline -opc)
    set -l count 0
    set -e words[1..2]
    while set -q words[1]
        switch $words[1]
            case -H --server --token --header --cacert --cert --key --event \
                --id --retry --timeout
                set -e words[1]
            case - # an argument
                set count (math $count + 1)
            case '-*'
            case '*'
                set count (math $count + 1)
        end
        set -e words[1]
    end
    echo $count
end

# Prints the options before the cursor that say how to reach the server.
function __crier_server
    set -l words (commandline -opc)
    while set -q words[1]
        switch $words[1]
            case -H --server --token --header --cacert --cert --key
                printf '%s\n' $words[1] (string replace -r '^~/' ~/ -- $words[2])
                set -e words[1]
            case -k --insecure '-H*' '--server=*' '--token=*' '--header=*' \
                '--cacert=*' '--cert=*' '--key=*'
                printf '%s\n' $words[1]
        end
        set -e words[1]
    end
end

# Offers the topics of the server. Of "a,b" it is b that is completed.
function __crier_topics
    set -l word (string unescape -- (commandline -ct))
    set -l list (string match -r '^.*,' -- $word)
    set -l prefix (string replace -r '^.*,' '' -- $word)
    if string match -q '*://*' -- $word
        return
    end
    timeout 2 crier topics (__crier_server) -- "$prefix" </dev/null \
        2>/dev/null | head -n 1000 | while read -l -d \t name updates rest
            # One that begins with - would be taken for an option.
            if string match -q -- '-*' "$list$name"
                and not contains -- -- (commandline -opc)
                continue
            end
            if string match -qr '[[:cntrl:]]' -- "$name"
                continue
            end
            printf '%s%s\t%s updates\n' "$list" "$name" "$updates"
        end
end

complete -c crier -f

complete -c crier -n __crier_first -l help -d 'print help'
complete -c crier -n __crier_first -l version -d 'print the versions'
complete -c crier -n __crier_first -a sub -d 'print events as they come'
complete -c crier -n __crier_first -a pub -d 'publish an update, or one for each line'
complete -c crier -n __crier_first -a topics -d 'list the topics'
complete -c crier -n __crier_first -a ping -d 'ask whether the server is well'
complete -c crier -n __crier_first -a help -d 'print help, of a command'
complete -c crier -n '__crier_command help' -a 'sub pub topics ping'

set -l all '__crier_command sub pub topics ping'
complete -c crier -n $all -l server -x -d 'the crierd'
complete -c crier -n $all -l token -x -d 'a bearer token'
complete -c crier -n $all -s H -l header -x -d 'one more header of the request'
complete -c crier -n $all -l cacert -rF -d 'certificates to trust'
complete -c crier -n $all -l cert -rF -d 'a certificate to show'
complete -c crier -n $all -l key -rF -d 'its key'
complete -c crier -n $all -s k -l insecure -d 'do not verify the server'
complete -c crier -n $all -s v -l verbose -d 'show requests and answers'
complete -c crier -n $all -l help -d 'print help'
complete -c crier -n '__crier_command sub pub ping' -s q -l quiet -d 'print no notes'

set -l sub '__crier_command sub'
complete -c crier -n $sub -a '(__crier_topics)'
complete -c crier -n $sub -l since -x -a all -d 'begin with what is held'
complete -c crier -n $sub -l last-event-id -x -d 'begin after this id'
complete -c crier -n $sub -l once -d 'what is held, and no more'
complete -c crier -n $sub -l state -rF -d 'keep the last id in a file'
complete -c crier -n $sub -l count -x -d 'end after so many events'
complete -c crier -n $sub -l timeout -x -d 'end after this time'
complete -c crier -n $sub -l event -x -d 'events of this type only'
complete -c crier -n $sub -l json -d 'print JSON lines'
complete -c crier -n $sub -l exec -d 'run a command for each event'
complete -c crier -n __crier_exec -a '(__crier_exec_complete)'
complete -c crier -n $sub -l method -x -d 'of the request to a URL'
complete -c crier -n $sub -l data -x -d 'body of the request to a URL'
complete -c crier -n $sub -l retry -x -d 'reconnect after this time'
complete -c crier -n $sub -l reconnect -d 'connect again, also with POST'
complete -c crier -n $sub -l no-reconnect -d 'end with the stream'

set -l pub '__crier_command pub'
complete -c crier -n "$pub; and test (__crier_arguments) -eq 0" -a '(__crier_topics)'
complete -c crier -n $pub -l lines -d 'publish each line of stdin'
complete -c crier -n $pub -l json -d 'publish an object'
complete -c crier -n $pub -l event -x -d 'the type of the event'
complete -c crier -n $pub -l id -x -d 'its id'
complete -c crier -n $pub -l dedupe -d 'it is no error when the id is there'
complete -c crier -n $pub -l retry -x -d 'what clients shall wait'
complete -c crier -n $pub -l timeout -x -d 'try for so long'

set -l topics '__crier_command topics'
complete -c crier -n $topics -a '(__crier_topics)'
complete -c crier -n $topics -l json -d 'print JSON lines'

complete -c crier -n '__crier_command ping' -l timeout -x -d 'wait so long for an answer'
