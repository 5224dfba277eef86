/* SPDX-License-Identifier: MIT */
#include "user.h"
int selftest_main(int argc, char **argv) { return 0; }
