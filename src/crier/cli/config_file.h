#ifndef CRIER_CONFIG_FILE_H
#define CRIER_CONFIG_FILE_H

#include <stdbool.h>

/* The contents of the user's configuration file; NULL for each name that it does not
 * set. */
struct config_file {
    char *path; /* of the file; NULL if there is no place for one */
    char *server;
    char *token;
    char *ca_file;
    char *cert_file;
    char *key_file;
    int server_line; /* of these two names, from 1 */
    int token_line;
    bool has_mistake; /* a mistake was reported */
};

/* Reads $XDG_CONFIG_HOME/crier/config, or ~/.config/crier/config. A missing file is
 * like an empty one. Returns false, after reporting why, if the file has a mistake or
 * cannot be read. */
bool config_file_read(struct config_file *config);

/* Frees the strings. */
void config_file_done(struct config_file *config);

#endif
