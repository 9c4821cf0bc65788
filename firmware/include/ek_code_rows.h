/* What the kernels of ek_codes.h share: rows of a window as bytes, and the walk over pixels. */
#ifndef EK_CODE_ROWS_H
#define EK_CODE_ROWS_H

#include "ek_requant.h"

/* Channels whose sums are kept at a time: those of one word of binary outputs. */
#define EK_CODE_CHANNELS 32

/* Elements of one kernel row. */
static inline int32_t ek_code_run(const ek_codes *p)
{
    return p->window.kernel_w * p->window.in_c;
}

#define EK_CODE_BIT(i) (int8_t)((int32_t)((2U * bits >> (i)) & 2U) - 1)

/* One int8 for each of n bits; their words are little-endian, so bytes will do. */
static inline int8_t *ek_code_bits(const int8_t *x, int32_t n, int8_t *out)
{
    for (; n >= 8; n -= 8) {
        const uint32_t bits = (uint8_t)*x++;
        out[0] = EK_CODE_BIT(0);
        out[1] = EK_CODE_BIT(1);
        out[2] = EK_CODE_BIT(2);
        out[3] = EK_CODE_BIT(3);
        out[4] = EK_CODE_BIT(4);
        out[5] = EK_CODE_BIT(5);
        out[6] = EK_CODE_BIT(6);
        out[7] = EK_CODE_BIT(7);
        out += 8;
    }
    for (int32_t i = 0; i < n; i++) {
        const uint32_t bits = (uint8_t)*x;
        *out++ = EK_CODE_BIT(i);
    }
    return out;
}

/* The channels of one pixel, or what stands for them outside. */
static inline int8_t *ek_code_cell(const ek_codes *p, const int8_t *x, int32_t row, int32_t column,
                                   int8_t *out)
{
    const ek_window *w = &p->window;
    const int32_t n = w->in_c;
    if (row < 0 || row >= w->in_h || column < 0 || column >= w->in_w) {
        for (int32_t i = 0; i < n; i++) {
            *out++ = (int8_t)p->outside;
        }
    } else if (p->is_bits != 0) {
        out = ek_code_bits(&x[4 * (row * w->in_w + column) * ((n + 31) / 32)], n, out);
    } else {
        const int8_t *from = &x[(row * w->in_w + column) * n];
        for (int32_t i = 0; i < n; i++) {
            *out++ = from[i];
        }
    }
    return out;
}

/* One kernel row of the window at (row, column): where it lies in x, or collected in `room`. */
EK_LOOP const int8_t *ek_code_row(const ek_codes *p, const int8_t *x, int32_t row, int32_t column,
                                  int8_t *room)
{
    const ek_window *w = &p->window;
    int8_t *out = room;
    if (p->is_bits == 0 && row >= 0 && row < w->in_h && column >= 0 && w->dilation_w == 1 &&
        column + w->kernel_w <= w->in_w) {
        return &x[(row * w->in_w + column) * w->in_c];
    }
    for (int32_t kx = 0; kx < w->kernel_w; kx++) {
        out = ek_code_cell(p, x, row, column + kx * w->dilation_w, out);
    }
    return room;
}

/* Top left cell of the window of a pixel. */
typedef struct {
    int32_t row;
    int32_t column;
} ek_code_place;

static inline ek_code_place ek_code_place_of(const ek_codes *p, int32_t pixel)
{
    const ek_window *w = &p->window;
    const int32_t row = pixel / w->out_w;
    ek_code_place at;
    at.row = row * w->stride_h - w->pad_top;
    at.column = (pixel - row * w->out_w) * w->stride_w - w->pad_left;
    return at;
}

/* Sums of a group of pixels, EK_CODE_PIXELS to a channel. */
typedef struct {
    const int32_t *sums;
    int32_t factor;
    int32_t less[EK_CODE_PIXELS]; /* of factor * sum; one of each pixel */
    int32_t first;                /* channel */
    int32_t count;                /* of channels, at most EK_CODE_CHANNELS */
    int32_t n;                    /* pixels */
} ek_code_group;

/* The accumulator of a channel, counted from the first, without its constant. */
static inline int32_t ek_code_sum(const ek_code_group *g, int32_t channel, int32_t slot)
{
    return g->sums[channel * EK_CODE_PIXELS + slot] * g->factor - g->less[slot];
}

#endif
