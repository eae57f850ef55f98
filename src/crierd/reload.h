#ifndef CRIERD_RELOAD_H
#define CRIERD_RELOAD_H

#include "crierd/http/server.h"

/* Reads the configuration again, from the file, the environment and the command line
 * (ARGC, ARGV), and changes SERVER accordingly; logs what changed and what needs a
 * restart. When there are mistakes, logs them and changes nothing. The main thread. */
void reload_conf(struct server *server, int argc, char **argv);

#endif
