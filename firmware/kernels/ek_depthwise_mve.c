/* Depthwise 3x3 convolution with 16 MACs an instruction, of which 9 count. Four lines of the input
 * are packed, 16 channels at a time, so that one word holds four cells of a channel, one of each
 * line, and four words in a row hold a window, or the windows of 2x2 outputs. */
#include "ek_mve.h"

#define EK_GROUP 16 /* channels */
#define EK_LINES 4
#define EK_CELL_BYTES (EK_GROUP * EK_LINES)

/* Lines are rows of the image, or columns with way 1; cells follow each other along a line. */
typedef struct {
    int32_t lines;
    int32_t cells;
    int32_t line_bytes;
    int32_t cell_bytes;
} image;

typedef struct {
    image in;
    image out;
    int32_t line_stride;
    int32_t cell_stride;
    int32_t line_pad;
    int32_t cell_pad;
    int32_t strip;  /* cells packed, outside ones included */
    int32_t inside; /* how many of them lie inside the input */
} layout;

static layout layout_of(const ek_depthwise_mve_params *p)
{
    const ek_mve_window *w = &p->window;
    const int32_t line = w->way; /* 0: lines are rows */
    const int32_t cell = 1 - line;
    const int32_t in[2] = {w->in_h, w->in_w};
    const int32_t out[2] = {w->out_h, w->out_w};
    const int32_t stride[2] = {w->stride_h, w->stride_w};
    const int32_t pad[2] = {w->pad_top, w->pad_left};
    const int32_t in_bytes[2] = {w->in_w * w->in_c, w->in_c};
    const int32_t out_bytes[2] = {w->out_w * w->in_c, w->in_c};
    /* With strides, four outputs are computed at a time. */
    const int32_t more = w->stride_h * w->stride_w != 1 ? -out[cell] & 3 : 0;
    const int32_t strip = (out[cell] + more - 1) * stride[cell] + 4;
    const layout s = {
        {in[line], in[cell], in_bytes[line], in_bytes[cell]},
        {out[line], out[cell], out_bytes[line], out_bytes[cell]},
        stride[line],
        stride[cell],
        pad[line],
        pad[cell],
        strip,
        in[cell] < strip - pad[cell] ? in[cell] : strip - pad[cell],
    };
    return s;
}

#if EK_MVE

/* Where the scratch memory's parts begin. */
typedef struct {
    int8_t *strip;   /* [cells][EK_GROUP][EK_LINES] */
    int8_t *outside; /* one vector of the input's zero point */
    int8_t *filters; /* [EK_GROUP][4 cells][4 lines], the last of each zero; a zero cell before */
} parts;

/* What a channel's sums go through. */
typedef struct {
    int32_t bias;
    int32_t multiplier;
    int32_t addend;
    int32_t shift;
} scale;

/* Sums become outputs in the highest byte, where they saturate as they should. */
static inline scale scale_of(int32_t row, int32_t multiplier, int32_t zero_point)
{
    const int32_t n = -(int8_t)(uint8_t)((uint32_t)row & 0xFFU);
    scale s;
    s.bias = row >> 8;
    s.multiplier = multiplier;
    s.addend = ((2 * zero_point + (n > 0)) * (1 << n)) >> 1;
    s.shift = 24 - n;
    return s;
}

static inline int32x4_t apply(int32_t rounding, scale s, int32x4_t sum)
{
    int32x4_t v = vaddq_n_s32(sum, s.bias);
    if (EK_IS(rounding, EK_ROUND_FLOAT32_SMALL) || EK_IS(rounding, EK_ROUND_FLOAT32)) {
        const int32x4_t factor = vdupq_n_s32(s.multiplier);
        v = vcvtnq_s32_f32(vmulq_f32(vcvtq_f32_s32(v), vreinterpretq_f32_s32(factor)));
    } else if (EK_IS(rounding, EK_ROUND_SINGLE_RIGHT)) {
        v = vqdmulhq_n_s32(v, s.multiplier);
    } else {
        v = vqrdmulhq_n_s32(v, s.multiplier);
        if (EK_IS(rounding, EK_ROUND_DOUBLE_RIGHT)) {
            v = vaddq_s32(v, vshrq_n_s32(v, 31));
        }
    }
    return vshrq_n_s32(vqshlq_r_s32(vqaddq_n_s32(v, s.addend), s.shift), 24);
}

/* Move lines 2 and 3 of `n` packed cells up and put a and b below; `channels` of them exist. */
static inline void shift_in(int8_t *strip, const int8_t *a, int32_t step_a, const int8_t *b,
                            int32_t step_b, int32_t n, int32_t channels)
{
    __asm__ volatile(
        "vctp.8 %[channels]\n\t"
        "wls lr, %[n], 2f\n"
        "1:\n\t"
        "vld40.8 {q0, q1, q2, q3}, [%[strip]]\n\t"
        "vld41.8 {q0, q1, q2, q3}, [%[strip]]\n\t"
        "vld42.8 {q0, q1, q2, q3}, [%[strip]]\n\t"
        "vld43.8 {q0, q1, q2, q3}, [%[strip]]\n\t"
        "vpstt\n\t"
        "vldrbt.u8 q4, [%[a]]\n\t"
        "vldrbt.u8 q5, [%[b]]\n\t"
        "add %[a], %[a], %[step_a]\n\t"
        "vst40.8 {q2, q3, q4, q5}, [%[strip]]\n\t"
        "vst41.8 {q2, q3, q4, q5}, [%[strip]]\n\t"
        "vst42.8 {q2, q3, q4, q5}, [%[strip]]\n\t"
        "vst43.8 {q2, q3, q4, q5}, [%[strip]]!\n\t"
        "add %[b], %[b], %[step_b]\n\t"
        "le lr, 1b\n"
        "2:"
        : [strip] "+r"(strip), [a] "+r"(a), [b] "+r"(b)
        : [step_a] "r"(step_a), [step_b] "r"(step_b), [n] "r"(n), [channels] "r"(channels)
        : "lr", "q0", "q1", "q2", "q3", "q4", "q5", "memory");
}

/* Pack four lines of `n` cells; `channels` of them exist. */
static inline void pack(int8_t *strip, const int8_t *const *from, const int32_t *step, int32_t n,
                        int32_t channels)
{
    const int8_t *a = from[0];
    const int8_t *b = from[1];
    const int8_t *c = from[2];
    __asm__ volatile("vctp.8 %[channels]\n\t"
                     "wls lr, %[n], 2f\n"
                     "1:\n\t"
                     "vpsttt\n\t"
                     "vldrbt.u8 q0, [%[a]]\n\t"
                     "vldrbt.u8 q1, [%[b]]\n\t"
                     "vldrbt.u8 q2, [%[c]]\n\t"
                     "add %[a], %[a], %[step_a]\n\t"
                     "vst40.8 {q0, q1, q2, q3}, [%[strip]]\n\t"
                     "vst41.8 {q0, q1, q2, q3}, [%[strip]]\n\t"
                     "add %[b], %[b], %[step_b]\n\t"
                     "vst42.8 {q0, q1, q2, q3}, [%[strip]]\n\t"
                     "vst43.8 {q0, q1, q2, q3}, [%[strip]]!\n\t"
                     "add %[c], %[c], %[step_c]\n\t"
                     "le lr, 1b\n"
                     "2:"
                     : [strip] "+r"(strip), [a] "+r"(a), [b] "+r"(b), [c] "+r"(c)
                     : [step_a] "r"(step[0]), [step_b] "r"(step[1]), [step_c] "r"(step[2]),
                       [n] "r"(n), [channels] "r"(channels)
                     : "lr", "q0", "q1", "q2", "q3", "memory");
}

/* Bring input lines `line`.. of a group into the strip: with `count` 2 below the two lines that
 * are there, with 3 in place of all. */
EK_LOOP void bring(const layout *s, const parts *at, const int8_t *x, int32_t line, int32_t count,
                   int32_t channels)
{
    int8_t *strip = &at->strip[EK_CELL_BYTES * s->cell_pad];
    const int8_t *from[3];
    int32_t step[3];
    for (int32_t i = 0; i < count; i++) {
        const int32_t is_in = line + i >= 0 && line + i < s->in.lines;
        from[i] = is_in ? &x[(line + i) * s->in.line_bytes] : at->outside;
        step[i] = is_in ? s->in.cell_bytes : 0;
    }
    if (count == 2) {
        shift_in(strip, from[0], step[0], from[1], step[1], s->inside, channels);
    } else {
        pack(strip, from, step, s->inside, channels);
    }
}

/* Filters of a group: each column of three weights becomes a word. */
EK_LOOP void load_filters(const int8_t *w, int32_t channels, int8_t *out)
{
    for (int32_t c = 0; c < channels; c++) {
        for (int32_t i = 0; i < EK_LINES - 1; i++) {
            out[0] = w[0];
            out[1] = w[1];
            out[2] = w[2];
            out += EK_LINES;
            w += 3;
        }
        out += EK_LINES;
    }
}

/* Filters of 2x2 outputs: those of the others are those of the first, moved. */
typedef struct {
    int8x16_t first;
    int8x16_t below; /* one line further */
    int8x16_t right; /* one cell further */
    int8x16_t both;
} filters;

static inline int8x16_t moved(int8x16_t filter, int32_t bits)
{
    return vreinterpretq_s8_s32(vshlq_r_s32(vreinterpretq_s32_s8(filter), bits));
}

/* The outputs of the next two cells and of two lines, at the offsets `to` from y. */
static inline void block(int32_t rounding, scale s, uint32x4_t *from, filters f, int8_t *y,
                         uint32x4_t to)
{
    const int8x16_t v = vreinterpretq_s8_s32(vldrwq_gather_base_wb_s32(from, 2 * EK_CELL_BYTES));
    const int32_t s0 = vmladavq_s8(v, f.first);
    const int32_t s1 = vmladavq_s8(v, f.below);
    const int32_t s2 = vmladavq_s8(v, f.right);
    const int32_t s3 = vmladavq_s8(v, f.both);
    vstrbq_scatter_offset_s32(y, to, apply(rounding, s, ek_mve_from(s0, s1, s2, s3)));
}

/* The outputs of lines `line` and line + 1, if there is one, for the channels in the strip. */
EK_LOOP void two_lines(const ek_depthwise_mve_params *p, const layout *s, const parts *at,
                       int32_t group, int32_t channels, int32_t line, int8_t *y)
{
    const uint32x4_t cells = vmulq_n_u32(vidupq_n_u32(0, 1), EK_CELL_BYTES);
    /* Without a second line or cell, the first one's outputs are written twice. */
    const int32_t down = line + 1 < s->out.lines ? s->out.line_bytes : 0;
    const int32_t bits = down != 0 ? 8 : 0;
    const int32_t right = s->out.cell_bytes;
    /* Copied: a store of int8 may change anything that a pointer leads to. */
    const ek_mve_scale scaling = p->scale;
    const int32_t twos = s->out.cells / 2;
    const int32_t odd = s->out.cells & 1;
    const int32_t *rows = &scaling.channels[group];
    const int32_t *m = &scaling.multiplier[group * scaling.step];
    const int8_t *filter = at->filters;
    uint32_t strip = (uint32_t)(uintptr_t)at->strip - 2U * EK_CELL_BYTES;
    y += line * s->out.line_bytes + group;
    for (int32_t lane = 0; lane < channels; lane++) {
        const scale here = scale_of(rows[lane], *m, scaling.zero_point);
        uint32x4_t from = vaddq_n_u32(cells, strip);
        int8_t *to = y;
        filters f;
        f.first = vldrbq_s8(filter);
        f.right = vldrbq_s8(filter - EK_LINES);
        f.below = moved(f.first, bits);
        f.both = moved(f.right, bits);
        uint32x4_t offsets = vreinterpretq_u32_s32(ek_mve_from(0, down, right, down + right));
        for (int32_t n = twos; n > 0; n--) {
            block(scaling.rounding, here, &from, f, to, offsets);
            to += 2 * right;
        }
        if (odd != 0) {
            f.right = f.first;
            f.both = f.below;
            offsets = vreinterpretq_u32_s32(ek_mve_from(0, down, 0, down));
            block(scaling.rounding, here, &from, f, to, offsets);
        }
        m += scaling.step;
        filter += 16;
        strip += EK_LINES;
        y++;
    }
}

/* The window that begins at a cell of the strip, times a filter. */
static inline int32_t sum_at(const int8_t *strip, uint32x4_t cells, int8x16_t filter)
{
    const int32x4_t v = vldrwq_gather_offset_s32((const int32_t *)strip, cells);
    return vmladavq_s8(vreinterpretq_s8_s32(v), filter);
}

/* One line of outputs for the channels in the strip. */
EK_LOOP void one_line(const ek_depthwise_mve_params *p, const layout *s, const parts *at,
                      int32_t group, int32_t channels, int8_t *y)
{
    const uint32x4_t cells = vmulq_n_u32(vidupq_n_u32(0, 1), EK_CELL_BYTES);
    const uint32x4_t offsets = vmulq_n_u32(vidupq_n_u32(0, 1), (uint32_t)s->out.cell_bytes);
    const int32_t stride = EK_CELL_BYTES * s->cell_stride;
    const int32_t step = s->out.cell_bytes;
    const ek_mve_scale scaling = p->scale;
    for (int32_t lane = 0; lane < channels; lane++) {
        const int32_t c = group + lane;
        const scale here =
            scale_of(scaling.channels[c], scaling.multiplier[c * scaling.step], scaling.zero_point);
        const int8x16_t filter = vldrbq_s8(&at->filters[16 * c]);
        const int8_t *strip = &at->strip[EK_LINES * lane];
        int8_t *to = &y[c];
        for (int32_t n = s->out.cells; n > 0; n -= 4) {
            const int32_t s0 = sum_at(strip, cells, filter);
            const int32_t s1 = sum_at(strip += stride, cells, filter);
            const int32_t s2 = sum_at(strip += stride, cells, filter);
            const int32_t s3 = sum_at(strip += stride, cells, filter);
            const int32x4_t sum = ek_mve_from(s0, s1, s2, s3);
            vstrbq_scatter_offset_p_s32(to, offsets, apply(scaling.rounding, here, sum),
                                        vctp32q((uint32_t)n));
            strip += stride;
            to += 4 * step;
        }
    }
}

/* Without strides, all lines of a group of channels, else one line of each group at a time. */
static void run(const ek_depthwise_mve_params *p, const layout *s, int32_t *scratch,
                const int8_t *x, int8_t *y)
{
    const int32_t count = p->window.in_c;
    const int32_t dense = s->line_stride == 1 && s->cell_stride == 1;
    const int32_t kept = dense != 0 ? EK_GROUP : (count + EK_GROUP - 1) / EK_GROUP * EK_GROUP;
    parts at;
    at.strip = (int8_t *)scratch;
    at.outside = &at.strip[EK_CELL_BYTES * s->strip];
    at.filters = &at.outside[2 * EK_VECTOR];
    for (int8_t *v = at.strip; v <= at.outside; v += EK_VECTOR) {
        vstrbq_s8(v, vdupq_n_s8(p->window.zero_point));
    }
    for (int32_t i = -1; i < kept; i++) {
        vstrbq_s8(&at.filters[16 * i], vdupq_n_s8(0));
    }
    if (dense == 0) {
        load_filters(p->weights, count, at.filters);
    }
    for (int32_t i = 0; i < (dense != 0 ? 1 : s->out.lines); i++) {
        for (int32_t group = 0; group < count; group += EK_GROUP) {
            const int32_t channels = count - group < EK_GROUP ? count - group : EK_GROUP;
            const int32_t first = i * s->line_stride - s->line_pad;
            if (dense == 0) {
                bring(s, &at, &x[group], first, 3, channels);
                one_line(p, s, &at, group, channels, &y[i * s->out.line_bytes]);
                continue;
            }
            load_filters(&p->weights[9 * group], channels, at.filters);
            bring(s, &at, &x[group], first, 2, channels);
            for (int32_t line = 0; line < s->out.lines; line += 2) {
                bring(s, &at, &x[group], first + line + 2, 2, channels);
                two_lines(p, s, &at, group, channels, line, y);
            }
        }
    }
}

#else

/* Copy what lies under one line's windows, one channel of it. */
static void load(const ek_depthwise_mve_params *p, const layout *s, const int8_t *x, int32_t line,
                 int8_t *out)
{
    const int32_t first = s->cell_pad;
    const int32_t end = first + s->inside;
    for (int32_t i = 0; i < s->strip; i++) {
        const int32_t is_in = line >= 0 && line < s->in.lines && i >= first && i < end;
        out[i] = is_in ? x[line * s->in.line_bytes + (i - first) * s->in.cell_bytes]
                       : p->window.zero_point;
    }
}

/* One line of one channel, from three lines of `strip` cells. */
static void one_line(const ek_depthwise_mve_params *p, const layout *s, const int8_t *lines,
                     int32_t c, int8_t *y)
{
    for (int32_t i = 0; i < s->out.cells; i++) {
        int32_t sum = 0;
        for (int32_t k = 0; k < 9; k++) {
            const int32_t cell = i * s->cell_stride + k / 3;
            sum += p->weights[9 * c + k] * lines[k % 3 * s->strip + cell];
        }
        y[i * s->out.cell_bytes] = ek_mve_finish(&p->scale, c, sum);
    }
}

/* Without strides, each channel keeps the lines that its outputs overwrite. */
static void run(const ek_depthwise_mve_params *p, const layout *s, int32_t *scratch,
                const int8_t *x, int8_t *y)
{
    const int32_t dense = s->line_stride == 1 && s->cell_stride == 1;
    const int32_t count = p->window.in_c;
    int8_t *lines = (int8_t *)scratch;
    for (int32_t i = 0; i < s->out.lines * count; i++) {
        const int32_t c = dense != 0 ? i / s->out.lines : i % count;
        const int32_t line = dense != 0 ? i % s->out.lines : i / count;
        const int32_t first = line * s->line_stride - s->line_pad;
        const int32_t kept = dense != 0 && line > 0 ? 2 : 0;
        for (int32_t k = 0; k < kept * s->strip; k++) {
            lines[k] = lines[k + s->strip];
        }
        for (int32_t k = kept; k < 3; k++) {
            load(p, s, &x[c], first + k, &lines[k * s->strip]);
        }
        one_line(p, s, lines, c, &y[line * s->out.line_bytes + c]);
    }
}

#endif

void ek_depthwise_mve(const ek_depthwise_mve_params *p, int32_t *scratch, const int8_t *x,
                      int8_t *y)
{
    const layout s = layout_of(p);
    run(p, &s, scratch, x, y);
    ek_limit(y, p->window.out_h * p->window.out_w * p->window.in_c, p->scale.low, p->scale.high);
}
