/*
 * What --help prints: one screen of 80 columns for each command; crier(1) has the rest.
 * The tests count lines and columns, and compare the options named here with those that
 * the commands accept.
 */
#include <config.h>

#include "help.h"

/* What every command takes. */
#define COMMON                                                                         \
    "      --server URL       $CRIER_SERVER, or http://127.0.0.1:8080\n"               \
    "      --token TOKEN, --token-file FILE    bearer token (default $CRIER_TOKEN)\n"  \
    "  -H, --header 'N: V'    add a request header (may be repeated)\n"                \
    "      --cacert FILE, --cert FILE, --key FILE, -k, --insecure\n"                   \
    "                         TLS, as with curl\n"

const char help_crier[] =
    "Usage: crier COMMAND [OPTION]... [ARGUMENT]...\n"
    "Publish and subscribe to live events (Server-Sent Events).\n"
    "\n"
    "  crier sub [URL|TOPIC...]      print events as they arrive\n"
    "  crier pub TOPIC [DATA|-]      publish an update, or one per line of stdin\n"
    "  crier topics [TOPIC]          list topics\n"
    "  crier export, crier import    move what is stored to another server\n"
    "  crier ping                    check the server's health\n"
    "  crier token                   make a token, show what one says, or hash one\n"
    "  crier help [COMMAND]          print this, or the help of a command\n"
    "  crier --version               print versions\n"
    "\n"
    "Every command takes --help, and all but token these to reach the server:\n"
    "\n" COMMON "  -v, --verbose          show requests and responses on stderr\n"
    "\n"
    "~/.config/crier/config may set server, token, cacert, cert and key, each on a\n"
    "line NAME = VALUE. See crier(1).\n";

const char help_sub[] =
    "Usage: crier sub [OPTION]... [TOPIC...|URL]\n"
    "Subscribe to topics of a crierd (default: all), or to any SSE server.\n"
    "\n"
    "      --since WHEN       start with stored updates: all, the last N, those\n"
    "                         not older than TIME, or those after an id\n"
    "      --last-event-id ID start after the event with this id\n"
    "      --once             print what is stored, and exit\n"
    "      --state FILE       store the last id in FILE, and resume from it\n"
    "      --count N          exit after N events\n"
    "      --timeout TIME     exit after TIME (3 if short of --count, --once)\n"
    "      --event TYPE       print only events of this type (may be repeated)\n"
    "      --json             print one JSON object per line\n"
    "      --exec CMD [ARG].. run CMD for each event, with CRIER_ID, CRIER_EVENT,\n"
    "                         CRIER_TOPIC, CRIER_DATA, and the data on stdin\n"
    "      --method M, --data BODY    request to a URL (default GET, or POST)\n"
    "      --retry TIME       delay before reconnecting (default 3s)\n"
    "      --reconnect, --no-reconnect    default: not with POST and the like\n"
    "  -q, --quiet            no notes on stderr; -v, --verbose: more\n" COMMON
    "TIME is a number with ms, s (the default), m, h or d. See crier(1).\n";

const char help_pub[] =
    "Usage: crier pub [OPTION]... TOPIC[,TOPIC]... [DATA|-]\n"
    "       crier pub [OPTION]... --json TOPIC KEY=VALUE...\n"
    "Publish DATA, or standard input. Prints the id of the update.\n"
    "\n"
    "      --lines            publish one update per line of stdin\n"
    "      --json             publish an object: KEY=TEXT, or KEY:=JSON;\n"
    "                         --json and --lines exclude each other\n"
    "      --event TYPE       event type\n"
    "      --id ID            event id (default: a new one)\n"
    "      --dedupe           with --id: succeed if that update already exists\n"
    "      --private          only for clients that are granted one of the topics\n"
    "      --last             it is the last update of its topics, which end;\n"
    "                         with --lines, the last line is\n"
    "      --retry TIME       reconnection delay to set in clients\n"
    "      --timeout TIME     keep trying for TIME (default 30s; 0: forever)\n"
    "  -q, --quiet            print nothing but errors\n"
    "  -v, --verbose          show requests and responses on stderr\n" COMMON "\n"
    "TIME is a number with ms, s (the default), m, h or d. See crier(1).\n";

const char help_topics[] =
    "Usage: crier topics [OPTION]... [TOPIC[,TOPIC]...]\n"
    "List topics (default: all; log/* for those that begin with log/): name, stored\n"
    "updates and bytes, number of subscribers, last id and its time.\n"
    "\n"
    "      --json             print one JSON object per line\n"
    "  -v, --verbose          show requests and responses on stderr\n" COMMON "\n"
    "See crier(1).\n";

const char help_export[] =
    "Usage: crier export [OPTION]... [-o FILE]\n"
    "Print all that the server stores, one update per line (JSON), for crier import.\n"
    "Where the server needs tokens, it must be an admin's.\n"
    "\n"
    "  -o, --output FILE      write to FILE; if it has updates of an export that was\n"
    "                         interrupted, go on after the last one\n"
    "      --after ID         begin after the update with this id\n"
    "  -q, --quiet            print nothing but errors on stderr\n"
    "  -v, --verbose          show requests and responses on stderr\n" COMMON "\n"
    "See crier(1).\n";

const char help_import[] =
    "Usage: crier import [OPTION]... [FILE|-]\n"
    "Publish the updates of an export, with their ids and times. Those that the\n"
    "server has already are skipped, so an import can be repeated.\n"
    "Where the server needs tokens, it must be an admin's.\n"
    "\n"
    "      --timeout TIME     keep trying for TIME (default 30s; 0: forever)\n"
    "  -q, --quiet            print nothing but errors on stderr\n"
    "  -v, --verbose          show requests and responses on stderr\n" COMMON "\n"
    "TIME is a number with ms, s (the default), m, h or d. See crier(1).\n";

const char help_ping[] =
    "Usage: crier ping [OPTION]...\n"
    "Check the server's health. The exit status is 0 if it is healthy, and 1 if\n"
    "its journal is failing or it does not respond.\n"
    "\n"
    "      --timeout TIME     wait for a response (default 5s)\n"
    "  -q, --quiet            print nothing if the server is healthy\n"
    "  -v, --verbose          show requests and responses on stderr\n" COMMON "\n"
    "See crier(1).\n";

const char help_token[] =
    "Usage: crier token [OPTION]...\n"
    "       crier token show [--key KEY] [TOKEN|-]\n"
    "       crier token hash [TOKEN|-]\n"
    "Make a token (JWT) for crierd. show: print what a token says, and check it with\n"
    "--key. hash: print the hash of a static token, as a section [token NAME] of\n"
    "crierd's configuration has it; without TOKEN it makes one.\n"
    "\n"
    "      --key KEY          [ALG:]SECRET or [ALG:]@FILE (default $CRIER_KEY), with\n"
    "                         ALG HS256 (default), RS256, ES256, EdDSA ...\n"
    "      --publish SELECTOR    grant publishing: a topic, log/*, '*', or a URI\n"
    "                            template (may be repeated)\n"
    "      --subscribe SELECTOR  grant subscribing, private updates included (may be\n"
    "                            repeated)\n"
    "      --admin            grant deletion, export, import, statistics\n"
    "      --expires TIME     how long the token is valid (default 1h), or never\n"
    "      --payload JSON     what subscription events say of the subscriber\n"
    "      --subject NAME, --audience URL, --issuer NAME\n"
    "                         claims sub, aud and iss\n"
    "      --kid ID           id of the key, for the header\n"
    "\n"
    "TIME is a number with ms, s (the default), m, h or d. See crier(1).\n";
