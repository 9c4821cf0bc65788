/* The walk of ek_codes.h over pixels and channels, after a header that multiplies. */
#ifndef EK_CODE_WALK_H
#define EK_CODE_WALK_H

#if defined(__GNUC__)
#define EK_CODE_INLINE static inline __attribute__((always_inline))
#else
#define EK_CODE_INLINE static inline
#endif

/* Weights of a byte: channel 2 * c has the lower halves of their codes, the next one the upper. */
static void ek_code_join(int32_t *sums, int32_t count, int32_t n)
{
    for (int32_t c = 0; c < count; c++) {
        const int32_t *from = &sums[2 * c * EK_CODE_PIXELS];
        for (int32_t slot = 0; slot < n; slot++) {
            sums[c * EK_CODE_PIXELS + slot] = from[slot] + 16 * from[EK_CODE_PIXELS + slot];
        }
    }
}

/* Writes the outputs of a group; y is where its first pixel begins. */
typedef void (*ek_code_store)(const void *p, const ek_code_group *g, int8_t *y);

EK_CODE_INLINE void ek_code_walk(const ek_codes *c, int32_t *scratch, const int8_t *x,
                                 ek_code_store store, const void *p, int8_t *y, int32_t pixel_bytes)
{
    const int32_t pixels = c->window.out_h * c->window.out_w;
    int32_t *windows = &scratch[EK_CODE_CHANNELS * EK_CODE_PIXELS * c->parts];
    ek_code_group g;
    g.sums = scratch;
    g.factor = c->factor;
    for (int32_t pixel = 0; pixel < pixels; pixel += g.n) {
        g.n = pixels - pixel < EK_CODE_PIXELS ? 1 : EK_CODE_PIXELS;
        ek_code_windows(c, windows, x, pixel, g.n, g.less);
        for (int32_t slot = 0; slot < g.n; slot++) {
            g.less[slot] *= c->offset;
        }
        for (g.first = 0; g.first < c->out_c; g.first += EK_CODE_CHANNELS) {
            const int32_t left = c->out_c - g.first;
            g.count = left < EK_CODE_CHANNELS ? left : EK_CODE_CHANNELS;
            ek_code_multiply(c, windows, g.first * c->parts, g.count * c->parts, g.n, scratch);
            if (c->parts == 2) {
                ek_code_join(scratch, g.count, g.n);
            }
            store(p, &g, y);
        }
        y += g.n * pixel_bytes;
    }
}

#endif
