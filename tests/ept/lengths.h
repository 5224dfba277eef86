/* SPDX-License-Identifier: MIT */
/* What the guest of known walks and its judge agree on. */
#ifndef TESTS_EPT_LENGTHS_H
#define TESTS_EPT_LENGTHS_H

#define LENGTHS_TOUCHES 512

#endif
