/* Convolution with 16 MACs an instruction: windows of two output pixels at a time, gathered into
 * scratch where they are not runs of the input already, times four filters at a time. */
#include "ek_mve.h"

#define EK_QUAD 4

/* The windows of two pixels. */
typedef struct {
    const int8_t *x[2];
    int32_t depth;
} windows;

#if EK_MVE

static inline void copy(int8_t *out, const int8_t *x, int32_t n)
{
    __asm__ volatile("wlstp.8 lr, %[n], 2f\n"
                     "1:\n\t"
                     "vldrb.u8 q0, [%[x]], #16\n\t"
                     "vstrb.8 q0, [%[out]], #16\n\t"
                     "letp lr, 1b\n"
                     "2:"
                     : [x] "+r"(x), [out] "+r"(out)
                     : [n] "r"(n)
                     : "lr", "q0", "memory");
}

/* Copy `rows` runs of `n` bytes, which begin `line` bytes apart, to one run. */
static inline void copy_rows(int8_t *out, const int8_t *x, int32_t n, int32_t rows, int32_t line)
{
    if (n <= EK_VECTOR) {
        __asm__ volatile("vctp.8 %[n]\n\t"
                         "dls lr, %[rows]\n"
                         "1:\n\t"
                         "vpstt\n\t"
                         "vldrbt.u8 q0, [%[x]]\n\t"
                         "vstrbt.8 q0, [%[out]]\n\t"
                         "add %[x], %[x], %[line]\n\t"
                         "add %[out], %[out], %[n]\n\t"
                         "le lr, 1b\n\t"
                         : [x] "+r"(x), [out] "+r"(out)
                         : [n] "r"(n), [rows] "r"(rows), [line] "r"(line)
                         : "lr", "q0", "memory");
        return;
    }
    for (; rows > 0; rows--) {
        copy(out, x, n);
        x += line;
        out += n;
    }
}

static void fill(int8_t *out, int32_t value, int32_t n)
{
    const int8x16_t v = vdupq_n_s8((int8_t)value);
    for (; n > 0; n -= EK_VECTOR) {
        vstrbq_p_s8(out, v, vctp8q((uint32_t)n));
        out += EK_VECTOR;
    }
}

/* One vector of both pixels and of four filters. `load` reads the pixels; after each filter,
 * `next` leads to the next one. */
#define EK_STEP(load, next, multiply)                                                              \
    load("q0", "x0") "vldrb.u8 q2, [%[w]]" next multiply " r0, q0, q2\n\t" load("q1", "x1")        \
        multiply " r8, q1, q2\n\t"                                                                 \
                 "vldrb.u8 q2, [%[w]]" next multiply " r2, q0, q2\n\t" multiply " r10, q1, q2\n\t" \
                 "vldrb.u8 q2, [%[w]]" next multiply " r4, q0, q2\n\t" multiply " r12, q1, q2\n\t" \
                 "vldrb.u8 q2, [%[w]]" next multiply " r6, q0, q2\n\t" multiply " lr, q1, q2\n\t"
#define EK_LOAD(q, x) "vldrb.u8 " q ", [%[" x "]], #16\n\t"
#define EK_LOAD_REST(q, x) "vpst\n\tvldrbt.u8 " q ", [%[" x "]]\n\t"
#define EK_WHOLE(multiply) EK_STEP(EK_LOAD, ", #16\n\t", multiply)
#define EK_REST(multiply)                                                                          \
    "vctp.8 %[n]\n\t" EK_STEP(EK_LOAD_REST, "\n\tadd %[w], %[w], %[n]\n\t", multiply)
#define EK_FIRST EK_WHOLE("vmladav.s8") /* nothing to add to */
#define EK_NEXT EK_WHOLE("vmladava.s8")
#define EK_LAST EK_REST("vmladava.s8")
#define EK_ONLY EK_REST("vmladav.s8")

/* Sums of the next four channels in both pixels, without bias. The instructions are written out
 * because they sum into the eight even registers, all of which there are. */
static inline int32x4x2_t sum_quad(const int8_t **filters, const windows *at)
{
    const int8_t *w = *filters;
    int32x4x2_t sums;
    const int8_t *x0;
    const int8_t *x1;
    int32_t n;
    __asm__ volatile(
        "ldr %[n], [%[at], #8]\n\t"
        "ldrd %[x0], %[x1], [%[at]]\n\t"
        "subs %[n], %[n], #16\n\t"
        "blt 4f\n\t" EK_FIRST "lsrs %[n], %[n], #5\n\t" /* pairs of vectors; carry: one more */
        "bcc 1f\n\t" EK_NEXT "1:\n\t"
        "beq 3f\n"
        "2:\n\t" EK_NEXT EK_NEXT "subs %[n], %[n], #1\n\t"
        "bne 2b\n"
        "3:\n\t"
        "ldr %[n], [%[at], #8]\n\t"
        "ands %[n], %[n], #15\n\t"
        "beq 5f\n\t" EK_LAST "b 5f\n"
        "4:\n\t"
        "add %[n], %[n], #16\n\t" EK_ONLY "5:\n\t"
        "vmov %q[s][2], %q[s][0], r0, r4\n\t"
        "vmov %q[s][3], %q[s][1], r2, r6\n\t"
        "vmov %q[t][2], %q[t][0], r8, r12\n\t"
        "vmov %q[t][3], %q[t][1], r10, lr\n\t"
        : [w] "+r"(w), [x0] "=&r"(x0), [x1] "=&r"(x1), [n] "=&r"(n), [s] "=w"(sums.val[0]),
          [t] "=w"(sums.val[1])
        : [at] "r"(at)
        : "r0", "r2", "r4", "r6", "r8", "r10", "r12", "lr", "q0", "q1", "q2", "cc", "memory");
    *filters = w;
    return sums;
}

/* Sum of one filter in both pixels, without bias. */
static inline void sum_one(const int8_t *w, const windows *at, int32_t *s, int32_t *t)
{
    const int8_t *x0 = at->x[0];
    const int8_t *x1 = at->x[1];
    int32_t a = 0;
    int32_t b = 0;
    __asm__ volatile("wlstp.8 lr, %[n], 2f\n"
                     "1:\n\t"
                     "vldrb.u8 q2, [%[w]], #16\n\t"
                     "vldrb.u8 q0, [%[x0]], #16\n\t"
                     "vmladava.s8 %[a], q0, q2\n\t"
                     "vldrb.u8 q1, [%[x1]], #16\n\t"
                     "vmladava.s8 %[b], q1, q2\n\t"
                     "letp lr, 1b\n"
                     "2:"
                     : [w] "+r"(w), [x0] "+r"(x0), [x1] "+r"(x1), [a] "+Te"(a), [b] "+Te"(b)
                     : [n] "r"(at->depth)
                     : "lr", "q0", "q1", "q2", "memory");
    *s = a;
    *t = b;
}

/* Outputs of four channels from their sums: those of the two pixels by turns. */
static inline int16x8_t finish(const ek_mve_scale *scale, int32x4x2_t sums, int32x4_t m,
                               int32x4_t rows)
{
    const int32x4_t bias = vshrq_n_s32(rows, 8);
    sums.val[0] = vaddq_s32(sums.val[0], bias);
    sums.val[1] = vaddq_s32(sums.val[1], bias);
    sums = ek_mve_round(scale->rounding, sums, m, rows);
    int16x8_t h = vqmovnbq_s32(vuninitializedq_s16(), sums.val[0]);
    h = vqaddq_n_s16(vqmovntq_s32(h, sums.val[1]), scale->zero_point);
    return vreinterpretq_s16_s8(vqmovnbq_s16(vuninitializedq_s8(), h));
}

/* Where outputs of four channels go, those of the two pixels by turns, `apart` bytes apart. */
static inline uint16x8_t targets(int32_t apart)
{
    const uint16x8_t i = vidupq_n_u16(0, 1);
    const uint16x8_t second = vmulq_n_u16(vandq_u16(i, vdupq_n_u16(1)), (uint16_t)apart);
    return vaddq_u16(vshrq_n_u16(i, 1), second);
}

/* The last channels, less than four. */
EK_LOOP void rest(const ek_conv2d_mve_params *p, const windows *at, int32_t c, int8_t *y,
                  int32_t apart)
{
    const int32_t left = p->window.out_c - c;
    /* Tables end with the last channel. */
    const uint32x4_t lanes = vminq_u32(vidupq_n_u32(0, 1), vdupq_n_u32((uint32_t)left - 1U));
    const uint32x4_t steps = vmulq_n_u32(lanes, (uint32_t)p->scale.step);
    int32_t s[EK_QUAD] = {0};
    int32_t t[EK_QUAD] = {0};
    int32x4x2_t sums;
    for (int32_t i = 0; i < left; i++) {
        sum_one(&p->weights[(c + i) * at->depth], at, &s[i], &t[i]);
    }
    sums.val[0] = vldrwq_s32(s);
    sums.val[1] = vldrwq_s32(t);
    const int16x8_t v =
        finish(&p->scale, sums,
               vldrwq_gather_shifted_offset_s32(&p->scale.multiplier[c * p->scale.step], steps),
               vldrwq_gather_shifted_offset_s32(&p->scale.channels[c], lanes));
    vstrbq_scatter_offset_p_s16(&y[c], targets(apart), v, vctp16q(2U * (uint32_t)left));
}

/* All channels of two pixels, `apart` bytes apart. */
EK_LOOP void two_pixels(const ek_conv2d_mve_params *p, const windows *at, int8_t *y, int32_t apart)
{
    const uint32x4_t steps = vmulq_n_u32(vidupq_n_u32(0, 1), (uint32_t)p->scale.step);
    const uint16x8_t to = targets(apart);
    const int32_t quads = p->window.out_c & ~(EK_QUAD - 1);
    const int32_t step = EK_QUAD * p->scale.step;
    const int32_t *m = p->scale.multiplier;
    const int32_t *rows = p->scale.channels;
    const int8_t *w = p->weights;
    const int8_t *end = &y[quads];
    while (y != end) {
        const int32x4x2_t sums = sum_quad(&w, at);
        vstrbq_scatter_offset_s16(
            y, to,
            finish(&p->scale, sums, vldrwq_gather_shifted_offset_s32(m, steps), vldrwq_s32(rows)));
        y += EK_QUAD;
        m += step;
        rows += EK_QUAD;
    }
    if (quads < p->window.out_c) {
        rest(p, at, quads, &y[-quads], apart);
    }
}

#else

static void copy(int8_t *out, const int8_t *x, int32_t n)
{
    for (int32_t i = 0; i < n; i++) {
        out[i] = x[i];
    }
}

static void copy_rows(int8_t *out, const int8_t *x, int32_t n, int32_t rows, int32_t line)
{
    for (int32_t row = 0; row < rows; row++) {
        copy(&out[row * n], &x[row * line], n);
    }
}

static void fill(int8_t *out, int32_t value, int32_t n)
{
    for (int32_t i = 0; i < n; i++) {
        out[i] = (int8_t)value;
    }
}

/* Weight `i` of channel `c`. */
static int32_t weight_of(const ek_conv2d_mve_params *p, int32_t depth, int32_t c, int32_t i)
{
    const int32_t whole = depth - depth % EK_VECTOR;
    const int32_t lane = c % EK_QUAD;
    const int32_t quad = c - lane;
    if (quad + EK_QUAD > p->window.out_c) {
        return p->weights[c * depth + i];
    }
    const int32_t run = i < whole ? EK_VECTOR : depth - whole;
    const int32_t first = i < whole ? i - i % EK_VECTOR : whole;
    return p->weights[quad * depth + EK_QUAD * first + lane * run + i - first];
}

static void two_pixels(const ek_conv2d_mve_params *p, const windows *at, int8_t *y, int32_t apart)
{
    for (int32_t c = 0; c < p->window.out_c; c++) {
        int32_t s = 0;
        int32_t t = 0;
        for (int32_t i = 0; i < at->depth; i++) {
            const int32_t w = weight_of(p, at->depth, c, i);
            s += w * at->x[0][i];
            t += w * at->x[1][i];
        }
        y[c] = ek_mve_finish(&p->scale, c, s);
        y[apart + c] = ek_mve_finish(&p->scale, c, t);
    }
}

#endif

/* Copy a window whose first cell is (row, column) to `out`, where some of it lies outside. */
EK_LOOP void gather(const ek_mve_window *w, const int8_t *x, int32_t row, int32_t column,
                    int8_t *out)
{
    const int32_t left = ek_clamp(-column, 0, w->kernel_w) * w->in_c;
    const int32_t right = ek_clamp(column + w->kernel_w - w->in_w, 0, w->kernel_w) * w->in_c;
    const int32_t run = w->kernel_w * w->in_c;
    const int32_t line = w->in_w * w->in_c;
    x += row * line + column * w->in_c;
    fill(out, w->zero_point, w->kernel_h * run);
    for (int32_t ky = row; ky < row + w->kernel_h; ky++) {
        if (ky >= 0 && ky < w->in_h) {
            copy(&out[left], &x[left], run - left - right);
        }
        x += line;
        out += run;
    }
}

void ek_conv2d_mve(const ek_conv2d_mve_params *p, int32_t *scratch, const int8_t *x, int8_t *y)
{
    const ek_mve_window *w = &p->window;
    const int32_t run = w->kernel_w * w->in_c;
    const int32_t line = w->in_w * w->in_c;
    const int32_t last = w->in_w - w->kernel_w;
    int8_t *to = y;
    int32_t slot = 0;
    windows at;
    at.depth = w->kernel_h * run;
    for (int32_t i = 0; i < w->out_h; i++) {
        const int32_t row = i * w->stride_h - w->pad_top;
        const int32_t rows_in = row >= 0 && row + w->kernel_h <= w->in_h;
        int32_t column = -w->pad_left;
        for (int32_t j = w->out_w; j > 0; j--) {
            int8_t *out = &((int8_t *)scratch)[slot * at.depth];
            at.x[slot] = out;
            if (w->way == 0) {
                at.x[slot] = &x[row * line + column * w->in_c];
            } else if (rows_in && column >= 0 && column <= last) {
                copy_rows(out, &x[row * line + column * w->in_c], run, w->kernel_h, line);
            } else {
                gather(w, x, row, column, out);
            }
            column += w->stride_w;
            slot++;
            if (slot == 2) {
                two_pixels(p, &at, to, p->window.out_c);
                to += 2 * p->window.out_c;
                slot = 0;
            }
        }
    }
    if (slot != 0) {
        /* An odd last pixel is computed twice. */
        at.x[1] = at.x[0];
        two_pixels(p, &at, to, 0);
    }
    ek_limit(y, w->out_h * w->out_w * p->window.out_c, p->scale.low, p->scale.high);
}
