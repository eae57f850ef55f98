# zsh -f offers.zsh DIRECTORY LINE
# Types LINE into an interactive zsh with the _crier of DIRECTORY, and prints what
# is offered at its end, a word a line; or, where LINE ends with a TAB, the words
# that crier is run with.

if [[ -n $OFFERS_FROM ]]; then # this is that zsh
    PS1= PROMPT_EOL_MARK=
    unset zle_bracketed_paste
    stty -echo
    fpath=($OFFERS_FROM $fpath)
    autoload -U compinit
    compinit -u -d ~/completions # kept, for the next time
    compadd() {
        local -a hits
        local hit

        # With these it fills arrays and offers nothing.
        if [[ ${(j: :)@} != *-[AOD]\ * ]]; then
            builtin compadd -A hits "$@"
            for hit in "${(@Q)hits}"; do print -r -- "$IPREFIX$hit"; done
        fi
        builtin compadd "$@"
    }
    offers() {
        print BEGIN
        _main_complete
        print END
        compstate[insert]= compstate[list]=
    }
    crier() {
        print BEGIN
        print -rl -- "$@"
        print END
    }
    zle -C offers complete-word offers
    bindkey '^X' offers
    print READY
    return
fi

zmodload zsh/zpty || exit 1
export OFFERS_FROM=$1
line=$2

# Reads what the shell prints until $1 is there, into REPLY.
await() {
    local chunk

    REPLY=
    while [[ $REPLY != *$1* ]]; do
        zpty -r shell chunk || exit 1
        REPLY+=${chunk//$'\r'}
    done
}

zpty shell zsh -f -i
zpty -w shell "source ${(q)0:A}"
await READY
if [[ $line == *$'\t' ]]; then
    zpty -w shell $line
else
    zpty -w -n shell $line$'\C-x'
fi
await END$'\n'
print -rn -- "${${REPLY##*BEGIN$'\n'}%END$'\n'}"
