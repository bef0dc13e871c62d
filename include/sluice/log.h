/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Logging of the DPDK processes: one named type per file, level filterable at run
 * time (--log-level sluice.primary.ports:debug). Usable before EAL is up. Never
 * called in a worker's loop. Each line names its object first:
 *
 *     SL_LOG_TYPE(ports_log, "sluice.primary.ports");
 *     sl_log(ports_log, ERR, "port %s: %s", name, why);
 */
#ifndef SL_LOG_H
#define SL_LOG_H

#include <stdbool.h>

#include <rte_log.h>

#define SL_LOG_TYPE(variable, name) static RTE_LOG_REGISTER_IMPL(variable, name, INFO)

/* level: ERR, WARNING, NOTICE, INFO, DEBUG */
#define sl_log(type, level, ...)       \
	rte_log(RTE_LOG_##level, type, \
		RTE_FMT("sluice: " RTE_FMT_HEAD(__VA_ARGS__, ) "\n", RTE_FMT_TAIL(__VA_ARGS__, )))

/*
 * Log to standard error from here on, and never wait for whoever reads it: lines that it does not
 * take at once are lost. (The library by itself would write to syslog as well.)
 */
void sl_log_open(void);

/* The --log-level of each role: TYPE:LEVEL, the type a pattern. False: it isn't that. */
bool sl_log_set_level(const char *text);

#define SL_LOG_LEVEL_WRONG "is not TYPE:LEVEL; levels are error, warning, notice, info, debug"

#endif
