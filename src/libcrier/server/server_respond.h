#ifndef CRIER_RESPOND_H
#define CRIER_RESPOND_H

#include "crier_server.h"

/* Answers with 200 and the JSON in TEXT, followed by LF; with 503 when TEXT is NULL.
 * Like the functions of crier_server.h. */
enum MHD_Result crier__respond_json(struct MHD_Connection *connection,
                                    const char *text);

#endif
