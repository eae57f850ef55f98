#ifndef CRIER_SETTINGS_H
#define CRIER_SETTINGS_H

#include <stdbool.h>

/* What the user's config file says; NULL where it says nothing. */
struct settings {
    char *path; /* the file's; NULL when there can be none */
    char *server;
    char *token;
    char *ca_file;
    char *cert_file;
    char *key_file;
    int server_line; /* where they are, from 1 */
    int token_line;
};

/* Reads $XDG_CONFIG_HOME/crier/config, or ~/.config/crier/config. A file that
 * is not there is as an empty one. False when there is a mistake in it, or it
 * cannot be read, which is told. */
bool settings_read(struct settings *settings);

/* Frees what was read. */
void settings_done(struct settings *settings);

#endif
