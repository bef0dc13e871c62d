/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The roles of the multi-call program `sluice` (primary/main.c): one binary so
 * that every DPDK process links the same libraries in the same order. Each
 * parses its own arguments (argv[0] is the role) and returns an exit code: 0 ended
 * as asked, 1 failed while running, 2 wrong usage or configuration, SL_EXIT_ABI.
 */
#ifndef SL_ROLE_H
#define SL_ROLE_H

#define SL_EXIT_ABI 3 /* a primary of another ABI number runs */

int sl_primary_main(int argc, char **argv);
int sl_worker_main(int argc, char **argv);
int sl_ctrl_main(int argc, char **argv);

#endif
