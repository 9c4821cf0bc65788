/* Depthwise 3x3 convolution with two MACs an instruction: the rows under the windows are packed in
 * pairs, four channels at a time, so that one word holds a column's cells of two rows. */
#include "ek_dsp.h"

#define EK_GROUP 4

/* One channel: pairs of filter rows 0 and 1, of rows 1 and 2, and its output scale. */
typedef struct {
    int32_t top[3];
    int32_t bottom[3];
    int32_t start;
    ek_dsp_channel scale;
} channel;

/* Where the scratch memory's parts begin. */
typedef struct {
    channel *channels; /* of one group with stride 1, of all groups otherwise */
    int32_t *outside;  /* one word of the input's zero point */
    int32_t *upper;    /* [columns][4]: pairs of input rows */
    int32_t *lower;    /* the two rows below */
} parts;

/* Pack `n` cells of rows a and b: four pairs for each cell, plus the pair `offset`. */
EK_DSP_LOOP void pack(int32_t *out, const int8_t *a, int32_t step_a, const int8_t *b,
                      int32_t step_b, int32_t n, int32_t offset)
{
    const int32_t *end = &out[EK_GROUP * n];
    while (out != end) {
        const int32_t u = ek_load4(a);
        const int32_t v = ek_load4(b);
        const int32_t u02 = ek_sxtab16(offset, u);
        const int32_t u13 = ek_sxtab16_8(offset, u);
        const int32_t v02 = ek_sxtab16(offset, v);
        const int32_t v13 = ek_sxtab16_8(offset, v);
        out[0] = ek_pkhbt(u02, v02);
        out[1] = ek_pkhbt(u13, v13);
        out[2] = ek_pkhtb(u02, v02);
        out[3] = ek_pkhtb(u13, v13);
        out += EK_GROUP;
        a += step_a;
        b += step_b;
    }
}

/* Column k of the windows of two output rows: s, t are the sums of the upper and lower row at
 * the first of two outputs, q, r at the second. */
#define EK_FIRST(k)                                                                                \
    s = ek_smlad(u, a##k, s);                                                                      \
    t = ek_smlatb(u, a##k, t);                                                                     \
    s = ek_smlabt(v, b##k, s);                                                                     \
    t = ek_smlad(v, b##k, t)
#define EK_SECOND(k)                                                                               \
    q = ek_smlad(u, a##k, q);                                                                      \
    r = ek_smlatb(u, a##k, r);                                                                     \
    q = ek_smlabt(v, b##k, q);                                                                     \
    r = ek_smlad(v, b##k, r)
#define EK_LOAD(i)                                                                                 \
    u = upper[EK_GROUP * (i)];                                                                     \
    v = lower[EK_GROUP * (i)]

/* Two output rows of one channel; y1 may be y0 where there is but one. */
EK_DSP_LOOP void two_rows(const channel *c, const int32_t *upper, const int32_t *lower, int8_t *y0,
                          int8_t *y1, int32_t n, int32_t step)
{
    const int32_t a0 = c->top[0];
    const int32_t a1 = c->top[1];
    const int32_t a2 = c->top[2];
    const int32_t b0 = c->bottom[0];
    const int32_t b1 = c->bottom[1];
    const int32_t b2 = c->bottom[2];
    const ek_dsp_channel scale = c->scale;
    const int32_t start = c->start;
    int32_t u;
    int32_t v;
    for (int32_t i = 0; i + 2 <= n; i += 2) {
        int32_t s = start;
        int32_t t = s;
        int32_t q = s;
        int32_t r = s;
        EK_LOAD(0);
        EK_FIRST(0);
        EK_LOAD(1);
        EK_FIRST(1);
        EK_SECOND(0);
        EK_LOAD(2);
        EK_FIRST(2);
        EK_SECOND(1);
        EK_LOAD(3);
        EK_SECOND(2);
        upper += 2 * EK_GROUP;
        lower += 2 * EK_GROUP;
        y1[0] = ek_dsp_apply(&scale, t);
        y0[0] = ek_dsp_apply(&scale, s);
        y1[step] = ek_dsp_apply(&scale, r);
        y0[step] = ek_dsp_apply(&scale, q);
        y0 += 2 * step;
        y1 += 2 * step;
    }
    if ((n & 1) != 0) {
        int32_t s = start;
        int32_t t = s;
        EK_LOAD(0);
        EK_FIRST(0);
        EK_LOAD(1);
        EK_FIRST(1);
        EK_LOAD(2);
        EK_FIRST(2);
        y1[0] = ek_dsp_apply(&scale, t);
        y0[0] = ek_dsp_apply(&scale, s);
    }
}

/* One output row of one channel. */
EK_DSP_LOOP void one_row(const channel *c, const int32_t *upper, const int32_t *lower, int8_t *y,
                         int32_t n, int32_t step, int32_t stride)
{
    const int32_t a0 = c->top[0];
    const int32_t a1 = c->top[1];
    const int32_t a2 = c->top[2];
    const int32_t b0 = c->bottom[0];
    const int32_t b1 = c->bottom[1];
    const int32_t b2 = c->bottom[2];
    const ek_dsp_channel scale = c->scale;
    const int32_t start = c->start;
    const int8_t *end = &y[n * step];
    while (y != end) {
        int32_t s = start;
        s = ek_smlad(upper[0], a0, s);
        s = ek_smlad(upper[EK_GROUP], a1, s);
        s = ek_smlad(upper[2 * EK_GROUP], a2, s);
        s = ek_smlabt(lower[0], b0, s);
        s = ek_smlabt(lower[EK_GROUP], b1, s);
        s = ek_smlabt(lower[2 * EK_GROUP], b2, s);
        *y = ek_dsp_apply(&scale, s);
        y += step;
        upper += stride;
        lower += stride;
    }
}

/* Filters and scales of a group of channels; `work` has room for 24 words. */
static void load_channels(const ek_depthwise_dsp_params *p, int32_t group, int32_t *work,
                          channel *out)
{
    const int32_t n = p->window.in_c;
    const int8_t *w = &p->weights[group];
    pack(work, w, n, &w[3 * n], n, 3, 0);
    pack(&work[3 * EK_GROUP], &w[3 * n], n, &w[6 * n], n, 3, 0);
    for (int32_t c = 0; c < EK_GROUP; c++) {
        for (int32_t i = 0; i < 3; i++) {
            out[c].top[i] = work[EK_GROUP * i + c];
            out[c].bottom[i] = work[EK_GROUP * (3 + i) + c];
        }
        out[c].start = ek_dsp_start(&p->scale, group + c);
        out[c].scale = ek_dsp_channel_at(&p->scale, group + c);
    }
}

/* Pack input rows `row` and row + 1 of one group of channels; outside them lies the zero point. */
static void load_rows(const ek_dsp_window *w, const parts *at, const int8_t *x, int32_t row,
                      int32_t *out)
{
    const int32_t columns = (w->out_w - 1) * w->stride_w + 3;
    const int32_t right = columns - w->pad_left;
    const int32_t inside = right < w->in_w ? right : w->in_w;
    const int8_t *outside = (const int8_t *)at->outside;
    const int8_t *from[2];
    int32_t step[2];
    for (int32_t i = 0; i < 2; i++) {
        const int32_t y = row + i;
        const int32_t is_in = y >= 0 && y < w->in_h;
        from[i] = is_in ? &x[y * w->in_w * w->in_c] : outside;
        step[i] = is_in ? w->in_c : 0;
    }
    for (int32_t i = 0; i < EK_GROUP * w->pad_left; i++) {
        out[i] = 0;
    }
    pack(&out[EK_GROUP * w->pad_left], from[0], step[0], from[1], step[1], inside,
         ek_minus(w->zero_point));
    for (int32_t i = EK_GROUP * (w->pad_left + inside); i < EK_GROUP * columns; i++) {
        out[i] = 0;
    }
}

/* All rows of channels `first`.. of a group, two at a time. */
static void dense_rows(const ek_depthwise_dsp_params *p, parts at, const int8_t *x, int32_t group,
                       int32_t first, int8_t *y)
{
    const ek_dsp_window *w = &p->window;
    const int32_t line = w->out_w * w->in_c;
    load_channels(p, group, at.upper, at.channels);
    load_rows(w, &at, &x[group], -w->pad_top, at.upper);
    for (int32_t row = 0; row < w->out_h; row += 2) {
        int8_t *y0 = &y[row * line + group];
        int8_t *y1 = row + 1 < w->out_h ? &y0[line] : y0;
        int32_t *next = at.upper;
        load_rows(w, &at, &x[group], row + 2 - w->pad_top, at.lower);
        for (int32_t c = first; c < EK_GROUP; c++) {
            two_rows(&at.channels[c], &at.upper[c], &at.lower[c], &y0[c], &y1[c], w->out_w,
                     w->in_c);
        }
        at.upper = at.lower;
        at.lower = next;
    }
}

/* One row of channels `first`.. of a group. */
static void strided_row(const ek_depthwise_dsp_params *p, const parts *at, const int8_t *x,
                        int32_t group, int32_t first, int32_t row, int8_t *y)
{
    const ek_dsp_window *w = &p->window;
    const int32_t top = row * w->stride_h - w->pad_top;
    int8_t *to = &y[row * w->out_w * w->in_c + group];
    load_rows(w, at, &x[group], top, at->upper);
    load_rows(w, at, &x[group], top + 2, at->lower);
    for (int32_t c = first; c < EK_GROUP; c++) {
        one_row(&at->channels[c], &at->upper[c], &at->lower[c], &to[c], w->out_w, w->in_c,
                EK_GROUP * w->stride_w);
    }
}

void ek_depthwise_dsp(const ek_depthwise_dsp_params *p, int32_t *scratch, const int8_t *x,
                      int8_t *y)
{
    const ek_dsp_window *w = &p->window;
    const int32_t columns = (w->out_w - 1) * w->stride_w + 3;
    /* Rows of several groups follow each other where rows or columns are skipped. */
    const int32_t dense = w->stride_h == 1 && w->stride_w == 1;
    const int32_t last = w->in_c - EK_GROUP;
    parts at;
    at.outside = scratch;
    at.upper = &scratch[1];
    at.lower = &at.upper[EK_GROUP * columns];
    at.channels = (channel *)&at.lower[EK_GROUP * columns];
    for (int32_t i = 0; i < EK_GROUP; i++) {
        ((int8_t *)at.outside)[i] = (int8_t)w->zero_point;
    }
    for (int32_t row = 0; row < (dense != 0 ? 1 : w->out_h); row++) {
        channel *channels = at.channels;
        for (int32_t next = 0; next < w->in_c; next += EK_GROUP) {
            /* The last group may begin with channels of the one before, which are done. */
            const int32_t group = next < last ? next : last;
            const int32_t first = next - group;
            if (dense != 0) {
                dense_rows(p, at, x, group, first, y);
                continue;
            }
            parts here = at;
            here.channels = channels;
            if (row == 0) {
                load_channels(p, group, at.upper, channels);
            }
            strided_row(p, &here, x, group, first, row, y);
            channels += EK_GROUP;
        }
    }
    ek_dsp_limit(y, w->out_h * w->out_w * w->in_c, p->scale.low, p->scale.high);
}
