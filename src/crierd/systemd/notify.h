#ifndef CRIERD_NOTIFY_H
#define CRIERD_NOTIFY_H

#include <stdbool.h>
#include <stdint.h>

/* Reads from the environment where a service manager wants to be notified, and how often
 * (NOTIFY_SOCKET, WATCHDOG_USEC, WATCHDOG_PID), and removes these variables, so that no
 * child process inherits them. Logs what it cannot use. Before any other thread starts. */
void notify_open(void);

/* Notifies the service manager: the formatted text is assignments such as "READY=1", one a
 * line (sd_notify(3) lists them). Never waits. Returns whether the text was sent, also
 * when nobody wants to be notified; false where the manager's queue is full. Any
 * thread. */
bool notify_send(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Notifies that a reload begins; "READY=1" ends it. */
void notify_reloading(void);

/* The longest time, in ms, that may pass without a "WATCHDOG=1"; 0 for any. */
uint64_t notify_watchdog(void);

#endif
