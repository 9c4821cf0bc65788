/* Convolution: the windows of four output pixels are gathered into scratch, packed two to a word,
 * and multiplied with all filters, two at a time. Pixels follow each other across row ends. */
#include "ek_lanes.h"

/* Top left cell of each slot's window, in input coordinates, and what stands for cells outside. */
typedef struct {
    int32_t row[EK_SLOTS];
    int32_t column[EK_SLOTS];
    ek_sources pad;
    int32_t runs; /* each window's columns lie inside the input, side by side */
} windows;

/* The windows of `n` pixels from `pixel` on. An empty slot's window is below the input. */
static void place(const ek_conv2d_s8_params *p, int32_t pixel, int32_t n, const int8_t *pad,
                  const int8_t *zeros, windows *out)
{
    const ek_window *w = &p->window;
    out->runs = w->dilation_w == 1;
    for (int32_t slot = 0; slot < EK_SLOTS; slot++) {
        const int32_t i = ek_slot_pixel(slot, n, p->lanes);
        const int32_t row = (pixel + i) / w->out_w;
        const int32_t column = (pixel + i - row * w->out_w) * w->stride_w - w->pad_left;
        out->row[slot] = i >= 0 ? row * w->stride_h - w->pad_top : w->in_h;
        out->column[slot] = i >= 0 ? column : 0;
        out->pad.at[slot] = i >= 0 ? pad : zeros;
        if (out->column[slot] < 0 || out->column[slot] + w->kernel_w > w->in_w) {
            out->runs = 0;
        }
    }
}

/* Pack `n` values of all four slots; returns where the next ones go. */
EK_LOOP int32_t *pack(int32_t *out, ek_sources x, int32_t n)
{
    const int8_t *a = x.at[0];
    const int8_t *b = x.at[1];
    const int8_t *c = x.at[2];
    const int8_t *d = x.at[3];
    for (int32_t i = 0; i < n; i++) {
        out[0] = ek_pair(a[i], b[i]);
        out[1] = ek_pair(c[i], d[i]);
        out += 2;
    }
    return out;
}

/* The cells at offset (ky, kx) of all windows; returns how many lie inside. */
static int32_t cells(const ek_window *w, const int8_t *x, const windows *at, int32_t ky, int32_t kx,
                     ek_sources *out)
{
    int32_t inside = 0;
    for (int32_t slot = 0; slot < EK_SLOTS; slot++) {
        const int32_t row = at->row[slot] + ky;
        const int32_t column = at->column[slot] + kx;
        if (row < 0 || row >= w->in_h || column < 0 || column >= w->in_w) {
            out->at[slot] = at->pad.at[slot];
        } else {
            out->at[slot] = &x[(row * w->in_w + column) * w->in_c];
            inside++;
        }
    }
    return inside;
}

static void gather(const ek_window *w, const int8_t *x, const windows *at, int32_t *out)
{
    ek_sources from;
    for (int32_t ky = 0; ky < w->kernel_h; ky++) {
        const int32_t inside = cells(w, x, at, ky * w->dilation_h, 0, &from);
        if (at->runs != 0 && inside == EK_SLOTS) {
            out = pack(out, from, w->kernel_w * w->in_c);
        } else {
            for (int32_t kx = 0; kx < w->kernel_w; kx++) {
                (void)cells(w, x, at, ky * w->dilation_h, kx * w->dilation_w, &from);
                out = pack(out, from, w->in_c);
            }
        }
    }
}

/* One depth step of two pairs and two channels. */
#define EK_STEP(i)                                                                                 \
    u = x[2 * (i)];                                                                                \
    v = x[2 * (i) + 1];                                                                            \
    weight = w[2 * (i)];                                                                           \
    s0 += (int64_t)u * weight;                                                                     \
    s1 += (int64_t)v * weight;                                                                     \
    weight = w[2 * (i) + 1];                                                                       \
    s2 += (int64_t)u * weight;                                                                     \
    s3 += (int64_t)v * weight

/* Sums of two channels in all four slots over `depth`. */
EK_LOOP void sum_two(const int32_t *x, const int8_t *w, int32_t depth, int32_t *sums)
{
    const int32_t *end = &x[2 * depth];
    const int32_t *end_of_fours = &x[2 * (depth & ~3)];
    int64_t s0 = EK_LANE_START;
    int64_t s1 = EK_LANE_START;
    int64_t s2 = EK_LANE_START;
    int64_t s3 = EK_LANE_START;
    int32_t u;
    int32_t v;
    int32_t weight;
    while (x != end_of_fours) {
        EK_STEP(0);
        EK_STEP(1);
        EK_STEP(2);
        EK_STEP(3);
        x += 8;
        w += 8;
    }
    while (x != end) {
        EK_STEP(0);
        x += 2;
        w += 2;
    }
    ek_split(s0, &sums[0]);
    ek_split(s1, &sums[2]);
    ek_split(s2, &sums[4]);
    ek_split(s3, &sums[6]);
}

/* Sums of two channels in slots 2 and 3 only; the others become 0. */
EK_LOOP void sum_two_half(const int32_t *x, const int8_t *w, int32_t depth, int32_t *sums)
{
    int64_t s0 = EK_LANE_START;
    int64_t s1 = EK_LANE_START;
    for (int32_t i = 0; i < depth; i++) {
        const int32_t v = x[2 * i + 1];
        s0 += (int64_t)v * w[2 * i];
        s1 += (int64_t)v * w[2 * i + 1];
    }
    for (int32_t i = 0; i < 2 * EK_SLOTS; i++) {
        sums[i] = 0;
    }
    ek_split(s0, &sums[2]);
    ek_split(s1, &sums[6]);
}

/* Sums of the last channel of an odd number. */
EK_LOOP void sum_one(const int32_t *x, const int8_t *w, int32_t depth, int32_t *sums)
{
    int64_t s0 = EK_LANE_START;
    int64_t s1 = EK_LANE_START;
    for (int32_t i = 0; i < depth; i++) {
        s0 += (int64_t)x[2 * i] * w[i];
        s1 += (int64_t)x[2 * i + 1] * w[i];
    }
    ek_split(s0, &sums[0]);
    ek_split(s1, &sums[2]);
}

/* All output channels' sums, four to a channel; `half`: slots 0 and 1 are empty. */
static void multiply(const ek_conv2d_s8_params *p, const int32_t *pairs, int32_t depth,
                     int32_t half, int32_t *sums)
{
    const int8_t *weights = p->weights;
    int32_t c = 0;
    for (; c + 2 <= p->out_c; c += 2) {
        if (half != 0) {
            sum_two_half(pairs, weights, depth, sums);
        } else {
            sum_two(pairs, weights, depth, sums);
        }
        weights += 2 * depth;
        sums += 2 * EK_SLOTS;
    }
    if (c < p->out_c) {
        sum_one(pairs, weights, depth, sums);
    }
}

/* Parameters are copied: a store of int8 may change anything that a pointer leads to. */
EK_LOOP void store(ek_requant requant, const int32_t *bias, const int32_t *sums, int32_t out_c,
                   ek_targets y)
{
    for (int32_t c = 0; c < out_c; c++) {
        const ek_scale scale = ek_scale_of(&requant, c);
        ek_store_slots(&scale, bias[c], &sums[EK_SLOTS * c], &y, c);
    }
}

void ek_conv2d_s8(const ek_conv2d_s8_params *p, int32_t *scratch, const int8_t *x, int8_t *y)
{
    const ek_window *w = &p->window;
    const int32_t depth = w->kernel_h * w->kernel_w * w->in_c;
    const int32_t pixels = w->out_h * w->out_w;
    int32_t *pairs = &scratch[EK_SLOTS * p->out_c];
    int8_t *pad = (int8_t *)&pairs[2 * depth];
    int8_t *zeros = &pad[w->in_c];
    for (int32_t i = 0; i < w->in_c; i++) {
        pad[i] = (int8_t)p->pad_value;
        zeros[i] = 0;
    }
    for (int32_t pixel = 0; pixel < pixels;) {
        const int32_t n = ek_take(pixels - pixel, p->lanes);
        windows at;
        ek_targets to;
        place(p, pixel, n, pad, zeros, &at);
        for (int32_t slot = 0; slot < EK_SLOTS; slot++) {
            const int32_t i = ek_slot_pixel(slot, n, p->lanes);
            to.at[slot] = &y[(pixel + (i >= 0 ? i : n - 1)) * p->out_c];
        }
        gather(w, x, &at, pairs);
        multiply(p, pairs, depth, n <= p->lanes, scratch);
        store(p->requant, p->bias, scratch, p->out_c, to);
        pixel += n;
    }
    ek_limit(y, pixels * p->out_c, p->requant.low, p->requant.high);
}
