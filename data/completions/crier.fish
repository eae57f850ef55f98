# Completion of crier(1) for fish.
#
# Topic names are untrusted text: they may contain spaces, quotes and $(...). fish
# quotes what it inserts, and nothing here is evaluated.

# Succeeds if the command is one of those named, before any --exec, whose words belong
# to another command.
function __crier_command
    set -l words (commandline -opc)
    contains -- "$words[2]" $argv
    and not contains -- --exec $words
end

# Succeeds if the command itself is being completed.
function __crier_first
    test (count (commandline -opc)) -eq 1
end

# Succeeds within the command of --exec.
function __crier_exec
    set -l words (commandline -opc)
    test "$words[2]" = sub
    and contains -- --exec $words
end

# Offers the completions of that command.
function __crier_exec_complete
    set -l words (commandline -opc)
    set -l at (contains --index -- --exec $words)
    set -e words[1..$at]
    complete -C (string join -- ' ' (string escape -- $words) (commandline -ct))
end

# Prints the number of arguments before the cursor.
function __crier_arguments
    set -l words (commandline -opc)
    set -l count 0
    set -e words[1..2]
    while set -q words[1]
        switch $words[1]
            case -H --server --token --token-file --header --cacert --cert \
                --key --event --id --retry --timeout --publish --subscribe -o \
                --output --after \
                --expires --payload --subject --audience --issuer --kid
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

# Prints the options before the cursor that are needed to reach the server.
function __crier_server
    set -l words (commandline -opc)
    while set -q words[1]
        switch $words[1]
            case -H --server --token --token-file --header --cacert --cert --key
                printf '%s\n' $words[1] (string replace -r '^~/' ~/ -- $words[2])
                set -e words[1]
            case -k --insecure '-H*' '--server=*' '--token=*' '--token-file=*' \
                '--header=*' '--cacert=*' '--cert=*' '--key=*'
                printf '%s\n' $words[1]
        end
        set -e words[1]
    end
end

# Offers the topics of the server. Of "a,b", b is completed.
function __crier_topics
    set -l word (string unescape -- (commandline -ct))
    set -l list (string match -r '^.*,' -- $word)
    set -l prefix (string replace -r '^.*,' '' -- $word)
    if string match -q '*://*' -- $word
        return
    end
    timeout 2 crier topics (__crier_server) -- "$prefix*" </dev/null \
        2>/dev/null | head -n 1000 | while read -l -d \t name updates rest
            # A name that begins with - would be an option.
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
complete -c crier -n __crier_first -l version -d 'print versions'
complete -c crier -n __crier_first -a sub -d 'print events as they arrive'
complete -c crier -n __crier_first -a pub -d 'publish an update, or one per line'
complete -c crier -n __crier_first -a topics -d 'list topics'
complete -c crier -n __crier_first -a export -d 'print all that is stored'
complete -c crier -n __crier_first -a import -d 'publish the updates of an export'
complete -c crier -n __crier_first -a ping -d 'check the server\'s health'
complete -c crier -n __crier_first -a token -d 'make a token, or show or hash one'
complete -c crier -n __crier_first -a help -d 'print the help of a command'
complete -c crier -n '__crier_command help' -a 'sub pub topics export import ping token'

set -l all '__crier_command sub pub topics export import ping'
complete -c crier -n $all -l server -x -d 'URL of the server'
complete -c crier -n $all -l token -x -d 'bearer token'
complete -c crier -n $all -l token-file -rF -d 'file with the bearer token'
complete -c crier -n $all -s H -l header -x -d 'add a request header'
complete -c crier -n $all -l cacert -rF -d 'trusted certificates'
complete -c crier -n $all -l cert -rF -d 'client certificate'
complete -c crier -n $all -l key -rF -d 'client certificate\'s key'
complete -c crier -n $all -s k -l insecure -d 'do not verify the server'
complete -c crier -n $all -s v -l verbose -d 'show requests and responses'
complete -c crier -n $all -l help -d 'print help'
complete -c crier -n '__crier_command sub pub export import ping' -s q -l quiet -d 'print no notes'

set -l sub '__crier_command sub'
complete -c crier -n $sub -a '(__crier_topics)'
complete -c crier -n $sub -l since -x -a all -d 'start with stored updates'
complete -c crier -n $sub -l last-event-id -x -d 'start after this id'
complete -c crier -n $sub -l once -d 'print what is stored, and exit'
complete -c crier -n $sub -l state -rF -d 'store the last id in a file'
complete -c crier -n $sub -l count -x -d 'exit after this many events'
complete -c crier -n $sub -l timeout -x -d 'exit after this time'
complete -c crier -n $sub -l event -x -d 'only events of this type'
complete -c crier -n $sub -l json -d 'print JSON lines'
complete -c crier -n $sub -l exec -d 'run a command for each event'
complete -c crier -n __crier_exec -a '(__crier_exec_complete)'
complete -c crier -n $sub -l method -x -d 'method of the request to a URL'
complete -c crier -n $sub -l data -x -d 'body of the request to a URL'
complete -c crier -n $sub -l retry -x -d 'delay before reconnecting'
complete -c crier -n $sub -l reconnect -d 'reconnect, also with POST'
complete -c crier -n $sub -l no-reconnect -d 'exit at the end of the stream'

set -l pub '__crier_command pub'
complete -c crier -n "$pub; and test (__crier_arguments) -eq 0" -a '(__crier_topics)'
complete -c crier -n $pub -l lines -d 'publish each line of stdin'
complete -c crier -n $pub -l json -d 'publish an object'
complete -c crier -n $pub -l event -x -d 'event type'
complete -c crier -n $pub -l id -x -d 'event id'
complete -c crier -n $pub -l dedupe -d 'succeed if the id already exists'
complete -c crier -n $pub -l private -d 'only for clients that are granted a topic'
complete -c crier -n $pub -l last -d 'end the topics with this update'
complete -c crier -n $pub -l retry -x -d 'reconnection delay of clients'
complete -c crier -n $pub -l timeout -x -d 'keep trying for this time'

set -l topics '__crier_command topics'
complete -c crier -n $topics -a '(__crier_topics)'
complete -c crier -n $topics -l json -d 'print JSON lines'

set -l export '__crier_command export'
complete -c crier -n $export -s o -l output -rF -d 'write to this file, or go on with it'
complete -c crier -n $export -l after -x -d 'begin after the update with this id'

set -l import '__crier_command import'
complete -c crier -n "$import; and test (__crier_arguments) -eq 0" -F
complete -c crier -n $import -l timeout -x -d 'keep trying for this time'

complete -c crier -n '__crier_command ping' -l timeout -x -d 'wait this long for a response'

set -l token '__crier_command token'
complete -c crier -n "$token; and test (__crier_arguments) -eq 0" -a 'show hash'
complete -c crier -n $token -l key -x -d 'secret or @file of the key'
complete -c crier -n $token -l publish -x -d 'grant publishing'
complete -c crier -n $token -l subscribe -x -d 'grant subscribing'
complete -c crier -n $token -l admin -d 'grant deletion, export, import, statistics'
complete -c crier -n $token -l expires -x -a never -d 'how long the token is valid'
complete -c crier -n $token -l payload -x -d 'payload of subscription events'
complete -c crier -n $token -l subject -x -d 'claim sub'
complete -c crier -n $token -l audience -x -d 'claim aud'
complete -c crier -n $token -l issuer -x -d 'claim iss'
complete -c crier -n $token -l kid -x -d 'id of the key'
complete -c crier -n $token -l help -d 'print help'
