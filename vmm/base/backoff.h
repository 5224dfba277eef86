/* SPDX-License-Identifier: MIT */
#ifndef GNOMON_BASE_BACKOFF_H
#define GNOMON_BASE_BACKOFF_H

/*
 * Between two looks at what another thread is about to do, within some 10 us if it runs: at first lets others run,
 * later sleeps 20 us. `tries` is 0 before the first look.
 */
void backoff(unsigned *tries);

#endif
