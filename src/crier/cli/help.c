/*
 * What --help prints: one screen of 80 columns for each command. The rest is
 * in crier(1). The tests count lines and columns, and hold the options that
 * are named here against those that the commands take.
 */
#include <config.h>

#include "help.h"

/* What every command takes. */
#define COMMON                                                                         \
    "      --server URL       $CRIER_SERVER, or http://127.0.0.1:8080\n"               \
    "      --token TOKEN      a bearer token (default $CRIER_TOKEN)\n"                 \
    "  -H, --header 'N: V'    one more header of the request\n"                        \
    "      --cacert FILE, --cert FILE, --key FILE, -k, --insecure\n"                   \
    "                         TLS, as with curl\n"

const char help_crier[] =
    "Usage: crier COMMAND [OPTION]... [ARGUMENT]...\n"
    "Publish and follow live events (Server-Sent Events).\n"
    "\n"
    "  crier sub [URL|TOPIC...]      print events as they come\n"
    "  crier pub TOPIC [DATA|-]      publish an update, or one for each line\n"
    "  crier topics [PREFIX]         list the topics\n"
    "  crier ping                    ask whether the server is well\n"
    "  crier help [COMMAND]          print this, or the help of a command\n"
    "  crier --version               print the versions\n"
    "\n"
    "Every command takes --help, and to reach the server:\n"
    "\n" COMMON "  -v, --verbose          show requests and answers on stderr\n"
    "\n"
    "~/.config/crier/config may hold server, token, cacert, cert and key,\n"
    "each as NAME = VALUE on a line. See crier(1).\n";

const char help_sub[] =
    "Usage: crier sub [OPTION]... [TOPIC...|URL]\n"
    "Follow topics of a crierd (all if none is named), or any SSE server.\n"
    "\n"
    "      --since WHEN       begin with what is held: all, the last N, what\n"
    "                         is not older than TIME, or came after an id\n"
    "      --last-event-id ID begin after the event with this id\n"
    "      --once             what is held, and no more\n"
    "      --state FILE       keep the last id in FILE, and go on from there\n"
    "      --count N          end after N events\n"
    "      --timeout TIME     end after TIME (3 if short of --count, --once)\n"
    "      --event TYPE       events of this type only (may be repeated)\n"
    "      --json             print a JSON object for each, on a line\n"
    "      --exec CMD [ARG].. run this for each, with CRIER_ID, CRIER_EVENT,\n"
    "                         CRIER_TOPIC, CRIER_DATA, the data on stdin\n"
    "      --method M, --data BODY    the request to a URL (GET, or POST)\n"
    "      --retry TIME       reconnect after TIME (3s), or as told\n"
    "      --reconnect, --no-reconnect    default: not with POST and the like\n"
    "  -q, --quiet            no notes on stderr; -v, --verbose: more\n" COMMON
    "TIME is a number with ms, s (the default), m, h or d. See crier(1).\n";

const char help_pub[] =
    "Usage: crier pub [OPTION]... TOPIC[,TOPIC]... [DATA|-]\n"
    "       crier pub [OPTION]... --json TOPIC KEY=VALUE...\n"
    "Publish DATA, or what comes from stdin. Prints the id of the update.\n"
    "\n"
    "      --lines            publish each line of stdin\n"
    "      --json             publish an object: KEY=TEXT, or KEY:=JSON;\n"
    "                         --json and --lines exclude each other\n"
    "      --event TYPE       the type of the event\n"
    "      --id ID            its id (default: crier makes one)\n"
    "      --dedupe           it is no error when that id is there already\n"
    "                         (needs --id)\n"
    "      --retry TIME       what clients shall wait before they reconnect\n"
    "      --timeout TIME     try for so long (default 30s; 0 for ever)\n"
    "  -q, --quiet            print nothing but errors\n"
    "  -v, --verbose          show requests and answers on stderr\n" COMMON "\n"
    "TIME is a number with ms, s (the default), m, h or d. See crier(1).\n";

const char help_topics[] =
    "Usage: crier topics [OPTION]... [PREFIX]\n"
    "List the topics, or those that begin with PREFIX: the name, how many\n"
    "updates and bytes are held, how many streams follow it, the last id\n"
    "and its time.\n"
    "\n"
    "      --json             print a JSON object for each, on a line\n"
    "  -v, --verbose          show requests and answers on stderr\n" COMMON "\n"
    "See crier(1).\n";

const char help_ping[] =
    "Usage: crier ping [OPTION]...\n"
    "Ask whether the server is well. The exit status is 0 when it is, and 1\n"
    "when its journal is failing or it does not answer.\n"
    "\n"
    "      --timeout TIME     wait so long for an answer (default 5s)\n"
    "  -q, --quiet            print nothing, unless it is not well\n"
    "  -v, --verbose          show requests and answers on stderr\n" COMMON "\n"
    "See crier(1).\n";
