/* SPDX-License-Identifier: MIT */
/* What test guests in C share that stand alone in the machine, without the guest kernel: tests/oracle, tests/stress. */
#ifndef TESTS_BARE_H
#define TESTS_BARE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* To the console. */
void print(const char *text);
void print_number(uint64_t value);
void print_hex(uint64_t value);

/* Ends the run with this exit status, whichever CPU calls. */
void end(int status) __attribute__((noreturn));

/* Takes `word` and the blanks behind it off *args if it stands there. */
bool take_word(const char **args, const char *word);

/* Likewise a decimal number; 0 where none stands. */
uint64_t take_number(const char **args);

#endif
