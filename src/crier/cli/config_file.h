#ifndef CRIER_CONFIG_FILE_H
#define CRIER_CONFIG_FILE_H

#include <stdbool.h>

/* What the user's config file says; NULL where it says nothing. */
struct config_file {
    char *path; /* the file's; NULL when there can be none */
    char *server;
    char *token;
    char *ca_file;
    char *cert_file;
    char *key_file;
    int server_line; /* where they are, from 1 */
    int token_line;
    bool has_mistake; /* which was reported */
};

/* Reads $XDG_CONFIG_HOME/crier/config, or ~/.config/crier/config. A file that
 * is not there is as an empty one. False when there is a mistake in it, or it
 * cannot be read, which is told. */
bool config_file_read(struct config_file *config);

/* Frees what was read. */
void config_file_done(struct config_file *config);

#endif
