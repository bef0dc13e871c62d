/* SPDX-License-Identifier: BSD-3-Clause */
/* Templates across a full restart: <sluice/template.h> tells the file, primary/templates.c reads
 * it. */
#ifndef TEMPLATE_FILE_H
#define TEMPLATE_FILE_H

struct worker;

/* The worker has sent its last packet. What goes wrong is logged. */
void template_file_write(struct worker *w);

#endif
