/* Depthwise convolution: for each channel, the input columns under four output rows are packed
 * into a strip, column after column, so that a window's columns are runs of words. */
#include "ek_lanes.h"

/* Filter rows whose input rows are found once per four output rows, not once per channel. */
#define EK_HOISTED 5

/* Where the scratch memory's parts begin. */
typedef struct {
    int32_t *sums;  /* [out_w][4] */
    int32_t *strip; /* [columns][kernel_h][2] */
    int8_t *pad;    /* a row of the input's zero points */
    int8_t *zeros;  /* a row of zeros, with lanes 1 only */
    int32_t columns;
} layout;

static layout layout_of(const ek_depthwise_s8_params *p, int32_t *scratch)
{
    const ek_window *w = &p->window;
    layout s;
    s.columns = (w->out_w - 1) * w->stride_w + (w->kernel_w - 1) * w->dilation_w + 1;
    s.sums = scratch;
    s.strip = &scratch[EK_SLOTS * w->out_w];
    s.pad = (int8_t *)&s.strip[2 * s.columns * w->kernel_h];
    s.zeros = p->lanes == 1 ? &s.pad[w->in_w * w->in_c] : s.pad;
    return s;
}

/* Columns outside the input hold the pad value throughout: packing never touches them. */
static void prepare(const ek_depthwise_s8_params *p, const layout *s)
{
    const ek_window *w = &p->window;
    const int32_t pad = ek_pair(p->lanes == 2 ? p->pad_value : 0, p->pad_value);
    for (int32_t i = 0; i < 2 * s->columns * w->kernel_h; i++) {
        s->strip[i] = pad;
    }
    for (int32_t i = 0; i < w->in_w * w->in_c; i++) {
        s->zeros[i] = 0;
    }
    for (int32_t i = 0; i < w->in_w * w->in_c; i++) {
        s->pad[i] = (int8_t)p->pad_value;
    }
}

/* The input rows that filter row `ky` meets in the four slots. */
static ek_sources rows_of(const ek_depthwise_s8_params *p, const int8_t *x, const layout *s,
                          int32_t row, int32_t n, int32_t ky)
{
    const ek_window *w = &p->window;
    ek_sources out;
    for (int32_t slot = 0; slot < EK_SLOTS; slot++) {
        const int32_t i = ek_slot_pixel(slot, n, p->lanes);
        const int32_t y = (row + i) * w->stride_h - w->pad_top + ky * w->dilation_h;
        const int8_t *pad = i < 0 ? s->zeros : s->pad;
        out.at[slot] = i < 0 || y < 0 || y >= w->in_h ? pad : &x[y * w->in_w * w->in_c];
    }
    return out;
}

/* Pack `n` columns of one filter row; columns are `step` bytes and `out_step` words apart. */
EK_LOOP void pack_row(int32_t *out, int32_t out_step, const ek_sources *x, int32_t offset,
                      int32_t n, int32_t step)
{
    const int8_t *a = x->at[0];
    const int8_t *b = x->at[1];
    const int8_t *c = x->at[2];
    const int8_t *d = x->at[3];
    const int32_t end = offset + n * step;
    for (int32_t i = offset; i < end; i += step) {
        out[0] = ek_pair(a[i], b[i]);
        out[1] = ek_pair(c[i], d[i]);
        out += out_step;
    }
}

/* One tap of both pairs. */
#define EK_TAP(i)                                                                                  \
    s0 += (int64_t)x[2 * (i)] * w[i];                                                              \
    s1 += (int64_t)x[2 * (i) + 1] * w[i]

/* One channel's sums of four output rows with a 3x3 filter. */
EK_LOOP void sum_3x3(const int32_t *x, int32_t step, const int8_t *w, int32_t n, int32_t *sums)
{
    const int32_t *end = &sums[EK_SLOTS * n];
    while (sums != end) {
        int64_t s0 = EK_LANE_START;
        int64_t s1 = EK_LANE_START;
        EK_TAP(0);
        EK_TAP(1);
        EK_TAP(2);
        EK_TAP(3);
        EK_TAP(4);
        EK_TAP(5);
        EK_TAP(6);
        EK_TAP(7);
        EK_TAP(8);
        ek_split(s0, &sums[0]);
        ek_split(s1, &sums[2]);
        sums += EK_SLOTS;
        x += step;
    }
}

/* One channel's sums of four output rows with any filter. */
EK_LOOP void sum_any(const ek_window *p, const int32_t *strip, const int8_t *weights, int32_t *sums)
{
    for (int32_t i = 0; i < p->out_w; i++) {
        const int8_t *w = weights;
        int64_t s0 = EK_LANE_START;
        int64_t s1 = EK_LANE_START;
        for (int32_t kx = 0; kx < p->kernel_w; kx++) {
            const int32_t *x = &strip[2 * kx * p->dilation_w * p->kernel_h];
            for (int32_t ky = 0; ky < p->kernel_h; ky++) {
                EK_TAP(0);
                x += 2;
                w++;
            }
        }
        ek_split(s0, &sums[0]);
        ek_split(s1, &sums[2]);
        sums += EK_SLOTS;
        strip += 2 * p->kernel_h * p->stride_w;
    }
}

/* Parameters are copied: a store of int8 may change anything that a pointer leads to. */
EK_LOOP void store(ek_scale scale, int32_t bias, const int32_t *sums, int32_t offset, int32_t n,
                   int32_t step, ek_targets y)
{
    const int32_t end = offset + n * step;
    for (int32_t i = offset; i < end; i += step) {
        ek_store_slots(&scale, bias, sums, &y, i);
        sums += EK_SLOTS;
    }
}

/* One output channel in four output rows, from its input channel's strip. */
static void channel(const ek_depthwise_s8_params *p, const layout *s, int32_t c,
                    const ek_targets *y)
{
    const ek_window *w = &p->window;
    const int8_t *weights = &p->weights[c * w->kernel_h * w->kernel_w];
    if (w->kernel_h == 3 && w->kernel_w == 3 && w->dilation_w == 1) {
        sum_3x3(s->strip, 6 * w->stride_w, weights, w->out_w, s->sums);
    } else {
        sum_any(w, s->strip, weights, s->sums);
    }
    store(ek_scale_of(&p->requant, c), p->bias[c], s->sums, c, w->out_w, w->in_c * p->multiplier,
          *y);
}

/* All channels of `n` output rows from `row` on. */
static void rows(const ek_depthwise_s8_params *p, const int8_t *x, const layout *s, int32_t row,
                 int32_t n, const ek_targets *y)
{
    const ek_window *w = &p->window;
    const int32_t kh = w->kernel_h;
    const int32_t inside = ek_clamp(s->columns - w->pad_left, 0, w->in_w);
    int32_t *strip = &s->strip[2 * w->pad_left * kh];
    ek_sources from[EK_HOISTED];
    for (int32_t ky = 0; ky < kh && ky < EK_HOISTED; ky++) {
        from[ky] = rows_of(p, x, s, row, n, ky);
    }
    for (int32_t in = 0; in < w->in_c; in++) {
        for (int32_t ky = 0; ky < kh && ky < EK_HOISTED; ky++) {
            pack_row(&strip[2 * ky], 2 * kh, &from[ky], in, inside, w->in_c);
        }
        for (int32_t ky = EK_HOISTED; ky < kh; ky++) {
            const ek_sources far = rows_of(p, x, s, row, n, ky);
            pack_row(&strip[2 * ky], 2 * kh, &far, in, inside, w->in_c);
        }
        for (int32_t m = 0; m < p->multiplier; m++) {
            channel(p, s, in * p->multiplier + m, y);
        }
    }
}

void ek_depthwise_s8(const ek_depthwise_s8_params *p, int32_t *scratch, const int8_t *x, int8_t *y)
{
    const ek_window *w = &p->window;
    const int32_t line = w->out_w * w->in_c * p->multiplier;
    const layout s = layout_of(p, scratch);
    prepare(p, &s);
    for (int32_t row = 0; row < w->out_h;) {
        const int32_t n = ek_take(w->out_h - row, p->lanes);
        ek_targets to;
        for (int32_t slot = 0; slot < EK_SLOTS; slot++) {
            const int32_t i = ek_slot_pixel(slot, n, p->lanes);
            to.at[slot] = &y[(row + (i >= 0 ? i : n - 1)) * line];
        }
        rows(p, x, &s, row, n, &to);
        row += n;
    }
    ek_limit(y, w->out_h * line, p->requant.low, p->requant.high);
}
