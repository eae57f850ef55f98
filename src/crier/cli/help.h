#ifndef CRIER_HELP_H
#define CRIER_HELP_H

/* The output of --help for `crier` and for each command. Constant. */
extern const char help_crier[];
extern const char help_sub[];
extern const char help_pub[];
extern const char help_topics[];
extern const char help_export[];
extern const char help_import[];
extern const char help_ping[];
extern const char help_token[];

#endif
