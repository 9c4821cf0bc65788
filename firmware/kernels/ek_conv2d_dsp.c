/* Convolution with two MACs an instruction: the windows of four output pixels are gathered into
 * scratch as pairs of depths, and multiplied with two filters at a time. */
#include "ek_dsp.h"

#define EK_PIXELS 4

/* The last n % 4 values of a run of n: a word that ends with them, where there is one. */
static inline int32_t last_of(const int8_t *x, int32_t n)
{
    const int32_t rest = n & 3;
    uint32_t v = 0;
    if (n >= 4) {
        return (int32_t)((uint32_t)ek_load4(&x[rest - 4]) >> (32 - 8 * rest));
    }
    for (int32_t i = rest - 1; i >= 0; i--) {
        v = v << 8 | (uint8_t)x[i];
    }
    return (int32_t)v;
}

/* Write `rows` runs of `n` values, `step` bytes apart, less the zero point, as pairs EK_PIXELS
 * words apart, and go `skip` words further after each run; returns the next place. Of every four
 * values, the first pair holds 0 and 2, the second 1 and 3. What fills the last pair is multiplied
 * by a weight of zero. */
EK_DSP_LOOP int32_t *expand(int32_t *out, const int8_t *x, int32_t n, int32_t rows, int32_t step,
                            int32_t skip, int32_t offset)
{
    const int32_t rest = n & 3;
    step -= n & ~3;
    for (; rows > 0; rows--) {
        const int8_t *end = &x[n & ~3];
        while (x != end) {
            const int32_t v = ek_load4(x);
            x += 4;
            out[0] = ek_sxtab16(offset, v);
            out[EK_PIXELS] = ek_sxtab16_8(offset, v);
            out += 2 * EK_PIXELS;
        }
        if (rest != 0) {
            const int32_t v = last_of(x, n);
            const int32_t first = ek_sxtab16(offset, v);
            const int32_t second = ek_sxtab16_8(offset, v);
            out[0] = rest == 2 ? ek_pkhbt(first, second) : first;
            if (rest == 3) {
                out += EK_PIXELS;
                out[0] = second;
            }
            out += EK_PIXELS;
        }
        out += skip;
        x += step;
    }
    return out;
}

/* The same for runs of nine: windows of 3x3 on three channels, which first layers have. */
EK_DSP_LOOP void expand_nines(int32_t *out, const int8_t *x, int32_t rows, int32_t step,
                              int32_t offset)
{
    for (; rows > 0; rows--) {
        const int32_t u = ek_load4(x);
        const int32_t v = ek_load4(&x[4]);
        out[0] = ek_sxtab16(offset, u);
        out[EK_PIXELS] = ek_sxtab16_8(offset, u);
        out[2 * EK_PIXELS] = ek_sxtab16(offset, v);
        out[3 * EK_PIXELS] = ek_sxtab16_8(offset, v);
        out[4 * EK_PIXELS] = x[8] + (offset >> 16);
        out += 5 * EK_PIXELS;
        x += step;
    }
}

/* One kernel row, from `column` on, of a window that leaves the input or is dilated. */
EK_DSP_LOOP void collect(const ek_dsp_window *w, const int8_t *x, int32_t column, int8_t *out)
{
    const int32_t line = w->in_w * w->in_c;
    /* Without dilation the row is one run. */
    const int32_t run = w->dilation_w == 1 ? w->kernel_w * w->in_c : w->in_c;
    const int8_t *end = &out[w->kernel_w * w->in_c];
    const int8_t outside = w->zero_point;
    for (int32_t at = column * w->in_c; out != end; at += (w->dilation_w - 1) * w->in_c) {
        for (int32_t last = at + run; at < last; at++) {
            *out++ = (uint32_t)at < (uint32_t)line ? x[at] : outside;
        }
    }
}

/* A window that leaves the input or is dilated, from the cell (row, column) on. */
EK_DSP_LOOP void gather(const ek_dsp_window *w, const int8_t *x, int32_t row, int32_t column,
                        int32_t *out, int8_t *run)
{
    const int32_t offset = ek_minus(w->zero_point);
    const int32_t depth = w->kernel_w * w->in_c;
    const int32_t line = w->in_w * w->in_c;
    const int32_t is_run = w->dilation_w == 1 && column >= 0 && column + w->kernel_w <= w->in_w;
    for (int32_t ky = 0; ky < w->kernel_h; ky++) {
        if (row < 0 || row >= w->in_h) {
            for (int32_t pair = 0; pair < (depth + 1) / 2; pair++) {
                *out = 0;
                out += EK_PIXELS;
            }
        } else if (is_run != 0) {
            out = expand(out, &x[row * line + column * w->in_c], depth, 1, 0, 0, offset);
        } else {
            collect(w, &x[row * line], column, run);
            out = expand(out, run, depth, 1, 0, 0, offset);
        }
        row += w->dilation_h;
    }
}

/* What multiplies four windows with all filters needs; the assembly counts on these places. */
typedef struct {
    const int32_t *x;           /* 0: the windows */
    const int32_t *end;         /* 4 */
    const int8_t *weights;      /* 8 */
    const int32_t *multipliers; /* 12 */
    const void *starts;         /* 16 */
    int32_t is_short;           /* 20 */
    int32_t shift;              /* 24 */
    int32_t half;               /* 28 */
    int32_t addend;             /* 32 */
    int32_t away;               /* 36 */
    int32_t out_c;              /* 40 */
} job;

/* All channels of four pixels. */
#if EK_DSP_ASM
typedef char job_is_of_eleven_words[sizeof(job) == 44 ? 1 : -1];

#define EK_UNUSED __attribute__((unused))

/* Steps in the loop, and the bytes of one. */
#define EK_UNROLLED 8
#define EK_STEP_BYTES 48

/* One pair of depths, two channels, four pixels: r0-r3 have the sums of a, r4-r7 of both. */
#define EK_STEP                                                                                    \
    "ldr r12, [r8], #4\n"                                                                          \
    "sxtb16 lr, r12\n"                                                                             \
    "ldrd r10, r11, [r9], #8\n"                                                                    \
    "smlad r4, r10, r12, r4\n"                                                                     \
    "smlad r5, r11, r12, r5\n"                                                                     \
    "smlad r0, r10, lr, r0\n"                                                                      \
    "smlad r1, r11, lr, r1\n"                                                                      \
    "ldrd r10, r11, [r9], #8\n"                                                                    \
    "smlad r6, r10, r12, r6\n"                                                                     \
    "smlad r7, r11, r12, r7\n"                                                                     \
    "smlad r2, r10, lr, r2\n"                                                                      \
    "smlad r3, r11, lr, r3\n"

/* Shift four sums and divide b's from both. */
#define EK_OTHER(a, both) "subs " both ", " both ", " a "\nasrs " both ", " both ", #8\n"
#define EK_SHIFT(sum) "lsl " sum ", " sum ", r11\n"

/* half and addend of the channel whose multiplier is in r12: h in r11, addend + h in r10. */
#define EK_ADDEND                                                                                  \
    "ldr r10, [r9, #28]\n"                                                                         \
    "clz r11, r12\n"                                                                               \
    "lsr r11, r10, r11\n"                                                                          \
    "ldr r10, [r9, #32]\n"                                                                         \
    "add r10, r10, r11\n"

#define EK_FLOORED(sum) "smmla " sum ", " sum ", r12, r10\nssat " sum ", #8, " sum ", asr #14\n"
/* Ties away from zero; r11 is twice h, r9 is lost. */
#define EK_AWAY(sum)                                                                               \
    "and r9, r11, " sum ", asr #31\n"                                                              \
    "smmla " sum ", " sum ", r12, r10\n"                                                           \
    "sub " sum ", " sum ", r9\n"                                                                   \
    "ssat " sum ", #8, " sum ", asr #14\n"

/* Four outputs of one channel, `at` bytes into their pixels. */
#define EK_STORE(at, s0, s1, s2, s3)                                                               \
    "ldr r10, [sp, #4]\n"                                                                          \
    "ldr r11, [r9, #40]\n"                                                                         \
    "add r12, r10, #" at "\n"                                                                      \
    "strb " s0 ", [r12]\n"                                                                         \
    "strb " s1 ", [r12, r11]\n"                                                                    \
    "add r12, r12, r11, lsl #1\n"                                                                  \
    "strb " s2 ", [r12]\n"                                                                         \
    "strb " s3 ", [r12, r11]\n"

/* r0: job; r1: bytes of the loop to leave out at first; r2: y.
 * Stack: job, y, channels left, multipliers, starts, entry of the loop, end of the windows. */
__attribute__((naked, noinline)) static void
four_pixels(const job *j EK_UNUSED, int32_t skipped EK_UNUSED, int8_t *y EK_UNUSED)
{
    __asm__ volatile(
        "push {r4-r11, lr}\n"
        "sub sp, #28\n"
        "adr r3, 2f + 1\n"
        "add r3, r3, r1\n"
        "str r3, [sp, #20]\n"
        "ldr r3, [r0, #40]\n"
        "strd r0, r2, [sp]\n"
        "str r3, [sp, #8]\n"
        "ldrd r1, r3, [r0, #12]\n"
        "strd r1, r3, [sp, #12]\n"
        "ldrd r3, r8, [r0, #4]\n"
        "str r3, [sp, #24]\n"
        "1:\n"
        "ldr r9, [sp]\n"
        "ldr r12, [sp, #16]\n"
        "ldr r10, [r9, #20]\n"
        "cmp r10, #0\n"
        "itte ne\n"
        "ldrshne r0, [r12], #2\n"
        "ldrshne r4, [r12], #2\n"
        "ldrdeq r0, r4, [r12], #8\n"
        "str r12, [sp, #16]\n"
        "add r4, r0, r4, lsl #8\n"
        "mov r1, r0\n"
        "mov r2, r0\n"
        "mov r3, r0\n"
        "mov r5, r4\n"
        "mov r6, r4\n"
        "mov r7, r4\n"
        "ldr r9, [r9]\n"
        "ldr pc, [sp, #20]\n"
        ".balign 4\n"
        "2:\n"
        ".rept 8\n" EK_STEP ".endr\n"
        "ldr r10, [sp, #24]\n"
        "cmp r9, r10\n"
        "bne 2b\n"
        "ldr r9, [sp]\n"
        "ldr lr, [sp, #12]\n"
        "ldr r11, [r9, #24]\n" EK_OTHER("r0", "r4") EK_OTHER("r1", "r5") EK_OTHER(
            "r2", "r6") EK_OTHER("r3", "r7") EK_SHIFT("r4") EK_SHIFT("r5") EK_SHIFT("r6")
            EK_SHIFT("r7") EK_SHIFT("r0") EK_SHIFT("r1") EK_SHIFT("r2") EK_SHIFT(
                "r3") "ldr r11, [r9, #36]\n"
                      "ldr r10, [sp, #8]\n"
                      "cmp r11, #0\n"
                      "bne 5f\n"
                      "cmp r10, #1\n"
                      "beq 3f\n"
                      "ldr r12, [lr, #4]\n" EK_ADDEND EK_FLOORED("r4") EK_FLOORED("r5")
                          EK_FLOORED("r6") EK_FLOORED("r7") EK_STORE(
                              "1", "r4", "r5", "r6",
                              "r7") "3:\n"
                                    "ldr r12, [lr], #8\n" EK_ADDEND EK_FLOORED("r0") EK_FLOORED(
                                        "r1") EK_FLOORED("r2")
                                        EK_FLOORED("r3") "4:\n" EK_STORE(
                                            "0", "r0", "r1", "r2",
                                            "r3") "ldr r12, [sp, #8]\n"
                                                  "add r10, #2\n"
                                                  "str r10, [sp, #4]\n"
                                                  "str lr, [sp, #12]\n"
                                                  "subs r12, #2\n"
                                                  "str r12, [sp, #8]\n"
                                                  "bgt 1b\n"
                                                  "add sp, #28\n"
                                                  "pop {r4-r11, pc}\n"
                                                  "5:\n"
                                                  "cmp r10, #1\n"
                                                  "beq 6f\n"
                                                  "ldr r12, [lr, #4]\n" EK_ADDEND
                                                  "lsl r11, r11, #1\n" EK_AWAY("r4") EK_AWAY(
                                                      "r5") EK_AWAY("r6")
                                                      EK_AWAY("r7") "ldr r9, [sp]\n" EK_STORE(
                                                          "1", "r4", "r5", "r6",
                                                          "r7") "6:\n"
                                                                "ldr r12, [lr], #8\n" EK_ADDEND
                                                                "lsl r11, r11, #1\n" EK_AWAY("r0")
                                                                    EK_AWAY("r1") EK_AWAY("r2")
                                                                        EK_AWAY(
                                                                            "r3") "ldr r9, [sp]\n"
                                                                                  "b 4b\n");
}
#else
#define EK_UNROLLED 1
#define EK_STEP_BYTES 0

static void four_pixels(const job *j, int32_t skipped, int8_t *y)
{
    const ek_dsp_scale scale = {.multipliers = j->multipliers,
                                .starts = j->starts,
                                .addend = j->addend,
                                .half = j->half,
                                .step = 1,
                                .is_short = (int8_t)j->is_short,
                                .shift = (int8_t)j->shift,
                                .away = (int8_t)j->away};
    const int8_t *w = j->weights;
    (void)skipped;
    const int32_t pairs = (int32_t)(j->end - j->x) / EK_PIXELS;
    for (int32_t n = 0; n < j->out_c; n += 2) {
        for (int32_t pixel = 0; pixel < EK_PIXELS; pixel++) {
            int32_t a = ek_dsp_start(&scale, n);
            int32_t both = ek_dsp_both(a, ek_dsp_start(&scale, n + 1));
            for (int32_t i = 0; i < pairs; i++) {
                const int32_t x = j->x[EK_PIXELS * i + pixel];
                const int32_t v = ek_load4(&w[4 * i]);
                a = ek_smlad(x, ek_sxtb16(v), a);
                both = ek_smlad(x, v, both);
            }
            y[pixel * j->out_c + n] = ek_dsp_finish(&scale, n, a);
            if (n + 1 < j->out_c) {
                y[pixel * j->out_c + n + 1] = ek_dsp_finish(&scale, n + 1, ek_dsp_other(both, a));
            }
        }
        w += 4 * pairs;
    }
}
#endif

/* All channels of one pixel. */
EK_DSP_LOOP void one_pixel(const ek_conv2d_dsp_params *p, const int32_t *scratch, int32_t pairs,
                           int8_t *y)
{
    const int8_t *w = p->weights;
    for (int32_t n = 0; n < p->out_c; n += 2) {
        const int32_t *x = scratch;
        const int8_t *end = &w[4 * pairs];
        int32_t a = ek_dsp_start(&p->scale, n);
        int32_t both = ek_dsp_both(a, ek_dsp_start(&p->scale, n + 1));
        while (w != end) {
            const int32_t v = ek_load4(w);
            a = ek_smlad(*x, ek_sxtb16(v), a);
            both = ek_smlad(*x, v, both);
            x += EK_PIXELS;
            w += 4;
        }
        y[n] = ek_dsp_finish(&p->scale, n, a);
        if (n + 1 < p->out_c) {
            y[n + 1] = ek_dsp_finish(&p->scale, n + 1, ek_dsp_other(both, a));
        }
    }
}

void ek_conv2d_dsp(const ek_conv2d_dsp_params *p, int32_t *scratch, const int8_t *x, int8_t *y)
{
    const ek_dsp_window *w = &p->window;
    const ek_dsp_scale *s = &p->scale;
    const int32_t depth = w->kernel_w * w->in_c;
    const int32_t pairs = w->kernel_h * ((depth + 1) / 2);
    const int32_t line = w->in_w * w->in_c;
    const int32_t offset = ek_minus(w->zero_point);
    const int32_t count = w->out_h * w->out_w;
    const int32_t skipped = (-pairs & (EK_UNROLLED - 1)) * EK_STEP_BYTES;
    /* The last cells where a window that stays inside begins. */
    const int32_t last_row = w->in_h - 1 - (w->kernel_h - 1) * w->dilation_h;
    const int32_t last_column = w->dilation_w == 1 ? w->in_w - w->kernel_w : -1;
    /* Outputs of such layers follow their inputs pixel by pixel. */
    const int32_t is_point = w->kernel_h * w->kernel_w * w->stride_h * w->stride_w == 1 &&
                             w->out_w == w->in_w && w->out_h == w->in_h;
    const job all = {scratch,    &scratch[EK_PIXELS * pairs],
                     p->weights, s->multipliers,
                     s->starts,  s->is_short,
                     s->shift,   s->half,
                     s->addend,  s->away,
                     p->out_c};
    int8_t *run = (int8_t *)&scratch[EK_PIXELS * pairs];
    int32_t row = -w->pad_top;
    int32_t column = -w->pad_left;
    int32_t j = w->out_w;
    for (int32_t pixel = 0; pixel < count;) {
        const int32_t n = count - pixel < EK_PIXELS ? 1 : EK_PIXELS;
        if (is_point != 0) {
            (void)expand(scratch, &x[pixel * w->in_c], w->in_c, n, w->in_c, 1 - (EK_PIXELS * pairs),
                         offset);
        }
        for (int32_t slot = is_point != 0 ? n : 0; slot < n; slot++) {
            if (column >= 0 && column <= last_column && row >= 0 && row <= last_row) {
                const int8_t *first = &x[row * line + column * w->in_c];
                if (depth == 9) {
                    expand_nines(&scratch[slot], first, w->kernel_h, w->dilation_h * line, offset);
                } else {
                    (void)expand(&scratch[slot], first, depth, w->kernel_h, w->dilation_h * line, 0,
                                 offset);
                }
            } else {
                gather(w, x, row, column, &scratch[slot], run);
            }
            column += w->stride_w;
            if (--j == 0) {
                j = w->out_w;
                column = -w->pad_left;
                row += w->stride_h;
            }
        }
        if (n == 1) {
            one_pixel(p, scratch, pairs, y);
        } else {
            four_pixels(&all, skipped, y);
        }
        y += n * p->out_c;
        pixel += n;
    }
    ek_dsp_limit(y - count * p->out_c, count * p->out_c, s->low, s->high);
}
