/* SPDX-License-Identifier: BSD-3-Clause */
/* The files of taps, which the driver does not show: they are found among our own. */
#ifndef PRIMARY_TAP_H
#define PRIMARY_TAP_H

#include <net/if.h>

/*
 * Stop the signals with which a tap wakes its creator for every packet: queues are
 * polled by the workers, and the flag is one for all who share the file.
 */
void tap_quiet(void);

/* A file of the tap with this interface name, still the driver's; -1: there is none. */
int tap_file(const char *interface);

#endif
