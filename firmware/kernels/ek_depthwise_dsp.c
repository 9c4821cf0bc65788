/* Depthwise 3x3 convolution with two MACs an instruction: the rows under the windows are packed in
 * pairs, four channels at a time, so that one word holds a column's cells of two rows. */
#include "ek_dsp.h"

#define EK_GROUP 4

/* One channel: pairs of filter rows 0 and 1, of rows 1 and 2, where sums start, and its output
 * scale. The assembly below counts on this order. */
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

/* Two output rows of one channel: `n` outputs each, `step` bytes apart; y1 may be y0 where there is
 * but one row. */
#if EK_DSP_ASM
#define EK_UNUSED __attribute__((unused))

/* The words of a column, `at` bytes on: two rows in r10, the two below in r11. */
#define EK_LOAD(at) "ldr r10, [r12, " at "\nldr r11, [lr, " at "\n"

/* One column of the windows above each other, whose sums are s and t. */
#define EK_COLUMN(s, t, top, bottom)                                                               \
    "smlad " s ", r10, " top ", " s "\n"                                                           \
    "smlatb " t ", r10, " top ", " t "\n"                                                          \
    "smlabt " s ", r11, " bottom ", " s "\n"                                                       \
    "smlad " t ", r11, " bottom ", " t "\n"
#define EK_SHIFT(sum) "lsl " sum ", " sum ", r10\n"
#define EK_FINISH(sum) "smmla " sum ", " sum ", r10, r11\nssat " sum ", #8, " sum ", asr #14\n"

/* r0-r5: filters; r6, r7: sums of the first two windows; r8, r9: of those beside them.
 * Stack: y0, y1, end of the pairs of columns, multiplier, addend, shift, start; then what the
 * caller pushed, from 64 on: y1, n, step. */
__attribute__((naked, noinline)) static void
two_rows(const channel *c EK_UNUSED, const int32_t *upper EK_UNUSED, const int32_t *lower EK_UNUSED,
         int8_t *y0 EK_UNUSED, int8_t *y1 EK_UNUSED, int32_t n EK_UNUSED, int32_t step EK_UNUSED)
{
    __asm__ volatile(
        "push {r4-r11, lr}\n"
        "sub sp, #28\n"
        "ldrd r4, r5, [sp, #64]\n"
        "strd r3, r4, [sp]\n"
        "bic r5, r5, #1\n"
        "add r5, r1, r5, lsl #4\n"
        "ldr r6, [r0, #28]\n"
        "strd r5, r6, [sp, #8]\n"
        "ldrd r7, r8, [r0, #32]\n"
        "strd r8, r7, [sp, #16]\n"
        "ldr r6, [r0, #24]\n"
        "str r6, [sp, #24]\n"
        "mov r12, r1\n"
        "mov lr, r2\n"
        "cmp r12, r5\n"
        "ldm r0, {r0-r5}\n"
        "beq 2f\n"
        "1:\n"
        "ldr r6, [sp, #24]\n"
        "mov r7, r6\n"
        "mov r8, r6\n"
        "mov r9, r6\n" EK_LOAD("#0]") EK_COLUMN("r6", "r7", "r0", "r3") EK_LOAD("#16]") EK_COLUMN(
            "r6", "r7", "r1", "r4") EK_COLUMN("r8", "r9", "r0", "r3") EK_LOAD("#32]!")
            EK_COLUMN("r6", "r7", "r2", "r5") EK_COLUMN("r8", "r9", "r1", "r4") EK_LOAD("#16]")
                EK_COLUMN("r8", "r9", "r2", "r5") "ldr r10, [sp, #20]\n" EK_SHIFT("r6") EK_SHIFT(
                    "r7") EK_SHIFT("r8") EK_SHIFT("r9") "ldrd r10, r11, [sp, #12]\n" EK_FINISH("r6")
                    EK_FINISH("r7") EK_FINISH("r8") EK_FINISH(
                        "r9") "ldrd r10, r11, [sp]\n"
                              "strb r7, [r11]\n"
                              "strb r6, [r10]\n"
                              "ldr r6, [sp, #72]\n"
                              "strb r9, [r11, r6]\n"
                              "strb r8, [r10, r6]\n"
                              "add r10, r10, r6, lsl #1\n"
                              "add r11, r11, r6, lsl #1\n"
                              "strd r10, r11, [sp]\n"
                              "ldr r6, [sp, #8]\n"
                              "cmp r12, r6\n"
                              "bne 1b\n"
                              "2:\n"
                              "ldr r8, [sp, #68]\n"
                              "lsls r8, r8, #31\n"
                              "beq 3f\n"
                              "ldr r6, [sp, #24]\n"
                              "mov r7, r6\n" EK_LOAD("#0]") EK_COLUMN("r6", "r7", "r0", "r3")
                                  EK_LOAD("#16]") EK_COLUMN("r6", "r7", "r1", "r4") EK_LOAD(
                                      "#32]") EK_COLUMN("r6", "r7", "r2",
                                                        "r5") "ldr r10, [sp, #20]\n" EK_SHIFT("r6")
                                      EK_SHIFT("r7") "ldrd r10, r11, [sp, #12]\n" EK_FINISH("r6")
                                          EK_FINISH("r7") "ldrd r10, r11, [sp]\n"
                                                          "strb r7, [r11]\n"
                                                          "strb r6, [r10]\n"
                                                          "3:\n"
                                                          "add sp, #28\n"
                                                          "pop {r4-r11, pc}\n");
}
#else
static void two_rows(const channel *c, const int32_t *upper, const int32_t *lower, int8_t *y0,
                     int8_t *y1, int32_t n, int32_t step)
{
    for (int32_t i = 0; i < n; i++) {
        int32_t s = c->start;
        int32_t t = c->start;
        for (int32_t k = 0; k < 3; k++) {
            s = ek_smlad(upper[EK_GROUP * k], c->top[k], s);
            t = ek_smlatb(upper[EK_GROUP * k], c->top[k], t);
            s = ek_smlabt(lower[EK_GROUP * k], c->bottom[k], s);
            t = ek_smlad(lower[EK_GROUP * k], c->bottom[k], t);
        }
        y1[i * step] = ek_dsp_apply(&c->scale, t);
        y0[i * step] = ek_dsp_apply(&c->scale, s);
        upper += EK_GROUP;
        lower += EK_GROUP;
    }
}
#endif

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
