/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CTRL_RPC_UTF8_H
#define CTRL_RPC_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Well-formed UTF-8 (Unicode 15, table 3-7: no surrogates, no over-long forms, no NUL). */
bool utf8_valid_text(const uint8_t *text, size_t len);

#endif
