/* What the kernels with weights of -1, 0 and +1 share: counters of 32 channels, one word a plane.
 */
#ifndef EK_TRITS_H
#define EK_TRITS_H

#define EK_BIN_WORDS 1

#include "ek_bin_count.h"

/* Planes 0 to 4. */
typedef struct {
    ek_bin_t ones;
    ek_bin_t twos;
    ek_bin_t fours;
    ek_bin_t eights;
    ek_bin_t sixteens;
} ek_trit_planes;

static inline ek_trit_planes ek_trit_load(const ek_bin_t *planes)
{
    return (ek_trit_planes){planes[0], planes[1], planes[2], planes[3], planes[4]};
}

static inline void ek_trit_save(const ek_trit_planes *s, ek_bin_t *planes)
{
    planes[0] = s->ones;
    planes[1] = s->twos;
    planes[2] = s->fours;
    planes[3] = s->eights;
    planes[4] = s->sixteens;
}

/* Adds a bit to the counters from a plane on; beyond the last one no carry goes. */
static inline void ek_trit_add_from(ek_bin_t *plane, const ek_bin_t *end, ek_bin_t bit)
{
    for (; bit != 0 && plane != end; plane++) {
        bit = ek_bin_add_one(plane, bit);
    }
}

/* Sets `count` planes to where they start; 0: to nothing. */
static inline void ek_trit_start(ek_bin_t *planes, int32_t count, const int32_t *start)
{
    for (int32_t i = 0; i < count; i++) {
        planes[i] = start != 0 ? (ek_bin_t)start[i] : 0;
    }
}

/* Writes the sums of `channels` from `first` on: factor times what was counted, and its start. */
static inline void ek_trit_put(const ek_bin_result *r, const ek_bin_t *planes, int32_t count,
                               int32_t factor, const int32_t *start, int32_t first,
                               int32_t channels, int8_t *y)
{
    for (int32_t i = 0; i < EK_BIN_LANES && i < channels; i++) {
        const int32_t sum = factor * ek_bin_lane(planes, count, i) + start[first + i];
        ek_bin_put(r, first + i, sum, y);
    }
}

#endif
