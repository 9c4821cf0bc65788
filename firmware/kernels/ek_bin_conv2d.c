/* Convolution and fully connected layer of bits by weights of one bit. */
#include "ek_bin.h"

/* Planes 0 to 4 of 32 counters. */
typedef struct {
    ek_bin_t ones;
    ek_bin_t twos;
    ek_bin_t fours;
    ek_bin_t eights;
    ek_bin_t sixteens;
} low_planes;

#if EK_BIN_ASM

/* Compilers keep neither all of this in registers nor load four words at once.
 * r0: weights, r1: inputs, r2: what follows, r3: twos, r12: fours, r8: ones, r7 every other time;
 * pairs of carries are (one, both). */
typedef struct {
    uint32_t both; /* of the first eight inputs of sixteen */
    uint32_t pair[2];
    uint32_t eights;
    uint32_t sixteens;
    const uint32_t *x;
    const uint32_t *end;
    int32_t to; /* from x to where carries go, less a word, in bytes */
} asm_work;

/* Four inputs from bit i0 on; `a` is the lowest plane before, `e` after. */
#define EK_QUAD(a, e, i0, i1, i2, i3, one, both)                                                   \
    "ldmia r0!, {r4, r5, r6, " e "}\n\t"                                                           \
    "sbfx lr, r1, #" i1 ", #1\n\teor r5, r5, lr\n\teor " a ", " a ", r5\n\t"                       \
    "sbfx lr, r1, #" i0 ", #1\n\teor r4, r4, lr\n\torr r4, r4, " a "\n\t"                          \
    "sbfx lr, r1, #" i3 ", #1\n\teor " e ", " e ", lr\n\t"                                         \
    "sbfx lr, r1, #" i2 ", #1\n\teor r6, r6, lr\n\t"                                               \
    "eor " a ", r5, " e "\n\tbic r6, r6, " a "\n\t"                                                \
    "eor " one ", r5, r6\n\teor " both ", r4, r6\n\t"

/* Two pairs added to a plane; their carries to (one, both). */
#define EK_ADD(plane, p1, p2, q1, q2, one, both)                                                   \
    "eor lr, " plane ", " p2 "\n\teor " p1 ", " p1 ", " plane "\n\t"                               \
    "orr " p2 ", " p2 ", " p1 "\n\teor " q1 ", " q1 ", lr\n\t"                                     \
    "bic " q1 ", " q1 ", " q2 "\n\teor " plane ", lr, " q2 "\n\t"                                  \
    "eor " both ", " p2 ", " q1 "\n\teor " one ", lr, " q1 "\n\t"

#define EK_EIGHT(i0, i1, i2, i3, i4, i5, i6, i7, one, both)                                        \
    EK_QUAD("r8", "r7", i0, i1, i2, i3, "r9", "r10")                                               \
    EK_QUAD("r7", "r8", i4, i5, i6, i7, "r5", "r4")                                                \
    EK_ADD("r3", "r9", "r10", "r5", "r4", one, both)

#define EK_SIXTEEN(first, second, one, both)                                                       \
    first "str r6, [r2]\n\t" second                                                                \
          "ldr r6, [r2]\n\t" EK_ADD("r12", "r11", "r6", "r9", "r10", one, both)

static void count_words(low_planes *s, const int32_t *w, const uint32_t *x, int32_t words,
                        ek_bin_t *list)
{
    asm_work k = {.eights = s->eights, .sixteens = s->sixteens, .x = x, .end = &x[words]};
    k.to = (int32_t)((uint32_t)list - (uint32_t)x) - 4;
    register const int32_t *r0 __asm__("r0") = w;
    register asm_work *r2 __asm__("r2") = &k;
    register ek_bin_t r3 __asm__("r3") = s->twos;
    register ek_bin_t r8 __asm__("r8") = s->ones;
    register ek_bin_t r12 __asm__("r12") = s->fours;
    if (words == 0) {
        return;
    }
    __asm__ volatile(
        "1:\n\t"
        "ldr r7, [r2, #20]\n\tldr r1, [r7], #4\n\tstr r7, [r2, #20]\n\t" EK_SIXTEEN(
            EK_EIGHT("0", "1", "2", "3", "4", "5", "6", "7", "r11", "r6"),
            EK_EIGHT("8", "9", "10", "11", "12", "13", "14", "15", "r9", "r10"), "r11",
            "r6") "strd r11, r6, [r2, #4]\n\t" EK_SIXTEEN(EK_EIGHT("16", "17", "18", "19", "20",
                                                                   "21", "22", "23", "r11", "r6"),
                                                          EK_EIGHT("24", "25", "26", "27", "28",
                                                                   "29", "30", "31", "r9", "r10"),
                                                          "r9", "r10") "ldrd r11, r6, [r2, "
                                                                       "#4]\n\tldrd r7, r4, [r2, "
                                                                       "#12]\n\t" EK_ADD(
                                                                           "r7", "r11", "r6", "r9",
                                                                           "r10", "r9", "r10")
        /* The carry of one pair added to the sixteens. */
        "eor lr, r4, r10\n\teor r9, r9, r4\n\torr r9, r9, r10\n\teor r9, r9, lr\n\t"
        "strd r7, lr, [r2, #12]\n\tldrd r7, r6, [r2, #20]\n\tldr r5, [r2, #28]\n\t"
        "str r9, [r7, r5]\n\tcmp r7, r6\n\tbne 1b"
        : "+r"(r0), "+r"(r2), "+r"(r3), "+r"(r8), "+r"(r12)
        :
        : "r1", "r4", "r5", "r6", "r7", "r9", "r10", "r11", "lr", "cc", "memory");
    s->ones = r8;
    s->twos = r3;
    s->fours = r12;
    s->eights = k.eights;
    s->sixteens = k.sixteens;
}

#else

EK_BIN_INLINE ek_bin_carries count_8(low_planes *s, const int32_t *w, uint32_t x, int32_t i)
{
    const ek_bin_carries p = ek_bin_4(&s->ones, w, x, i);
    const ek_bin_carries q = ek_bin_4(&s->ones, w, x, i + 4);
    return ek_bin_add(&s->twos, p, q);
}

EK_BIN_INLINE ek_bin_carries count_16(low_planes *s, const int32_t *w, uint32_t x, int32_t i)
{
    const ek_bin_carries p = count_8(s, w, x, i);
    const ek_bin_carries q = count_8(s, w, x, i + 8);
    return ek_bin_add(&s->fours, p, q);
}

EK_BIN_INLINE ek_bin_t count_32(low_planes *s, const int32_t *w, uint32_t x)
{
    const ek_bin_carries p = count_16(s, w, x, 0);
    const ek_bin_carries q = count_16(s, w, x, 16);
    return ek_bin_add_pair(&s->sixteens, ek_bin_add(&s->eights, p, q));
}

/* Adds 32 inputs for each of `words` words; the carries to a list. */
static void count_words(low_planes *s, const int32_t *w, const uint32_t *x, int32_t words,
                        ek_bin_t *list)
{
    low_planes at = *s;
    for (int32_t i = 0; i < words; i++) {
        list[i] = count_32(&at, w, x[i]);
        w += EK_BIN_LANES;
    }
    *s = at;
}

#endif

/* A carry of plane 0 through planes 1 to 4. */
EK_BIN_INLINE ek_bin_t ripple(low_planes *s, ek_bin_t carry)
{
    carry = ek_bin_add_one(&s->twos, carry);
    carry = ek_bin_add_one(&s->fours, carry);
    carry = ek_bin_add_one(&s->eights, carry);
    return ek_bin_add_one(&s->sixteens, carry);
}

/* Adds a list of bits to the planes from `plane` on; the list is used up. */
static void add_list(ek_bin_t *plane, const ek_bin_t *end, ek_bin_t *list, const ek_bin_t *list_end)
{
    for (; plane != end; plane++) {
        ek_bin_t sum = *plane;
        ek_bin_t *to = list;
        const ek_bin_t *from = list;
        for (; list_end - from >= 2; from += 2) {
            *to++ = ek_bin_add_two(&sum, from[0], from[1]);
        }
        if (from != list_end) {
            *to++ = ek_bin_add_one(&sum, *from);
        }
        list_end = to;
        *plane = sum;
    }
}

/* Adds the number of equal bits of `depth` inputs, brought as parities, to the planes. */
static void count(const int32_t *w, const uint32_t *x, int32_t depth, ek_bin_t *planes,
                  int32_t plane_count, ek_bin_t *list)
{
    ek_bin_t *next = list;
    low_planes s = {0, planes[1], planes[2], planes[3], planes[4]};
    const int32_t whole = depth / EK_BIN_LANES;
    count_words(&s, w, x, whole, next);
    x += whole;
    w += whole * EK_BIN_LANES;
    next += whole;
    uint32_t last = depth % EK_BIN_LANES != 0 ? *x : 0;
    for (int32_t i = depth % EK_BIN_LANES; i > 0; i -= 2) {
        *next++ = ripple(&s, ek_bin_2(&s.ones, w, last, 0));
        last >>= 2;
        w += 2;
    }
    *next++ = ripple(&s, s.ones & planes[0]);
    planes[0] ^= s.ones;
    planes[1] = s.twos;
    planes[2] = s.fours;
    planes[3] = s.eights;
    planes[4] = s.sixteens;
    add_list(&planes[5], &planes[plane_count], list, next);
}

/* The number of bits that are set in both or neither of x and the inverted row. */
static int32_t equal_bits(const uint32_t *x, const int32_t *row, int32_t words)
{
    int32_t sum = 0;
    for (int32_t i = 0; i < words; i++) {
        uint32_t v = x[i] ^ (uint32_t)row[i];
        v -= (v >> 1) & 0x55555555U;
        v = (v & 0x33333333U) + ((v >> 2) & 0x33333333U);
        v = (v + (v >> 4)) & 0x0F0F0F0FU;
        sum += (int32_t)((v * 0x01010101U) >> 24);
    }
    return sum;
}

/* The bits under a window, one after the other. */
static void gather(const ek_bin_conv2d_params *p, int32_t top, int32_t left, const uint32_t *x,
                   uint32_t *bits)
{
    const ek_window *w = &p->window;
    const int32_t words = (w->in_c + EK_BIN_LANES - 1) / EK_BIN_LANES;
    ek_bin_writer out = {bits, 0, 0};
    for (int32_t i = 0; i < w->kernel_h; i++) {
        const int32_t row = top + i * w->dilation_h;
        for (int32_t j = 0; j < w->kernel_w; j++) {
            const int32_t column = left + j * w->dilation_w;
            const int inside = row >= 0 && row < w->in_h && column >= 0 && column < w->in_w;
            const uint32_t *cell = &x[inside ? (row * w->in_w + column) * words : 0];
            if (inside) {
                ek_bin_append_all(&out, cell, w->in_c);
            } else {
                ek_bin_fill(&out, (uint32_t)p->padding, w->in_c);
            }
        }
    }
    ek_bin_flush(&out);
}

/* parities[i] is the parity of bits 0 to i. */
static void accumulate(const uint32_t *bits, int32_t words, uint32_t *parities)
{
    uint32_t before = 0;
    for (int32_t i = 0; i < words; i++) {
        uint32_t v = bits[i];
        v ^= v << 1;
        v ^= v << 2;
        v ^= v << 4;
        v ^= v << 8;
        v ^= v << 16;
        v ^= before;
        before = (uint32_t)((int32_t)v >> 31);
        parities[i] = v;
    }
}

/* What a pixel's channels have in common. */
typedef struct {
    int32_t depth;       /* bits of a window */
    int32_t length;      /* its words */
    const int32_t *rows; /* weights of the channels that are in no counted word */
    uint32_t *bits;
    uint32_t *parities;
    ek_bin_t *planes;
    ek_bin_t *list;
} work;

/* Fills the planes with the counts of a word of channels, and returns the weights of the next. */
static const int32_t *count_word(const ek_bin_conv2d_params *p, const work *k, const int32_t *w,
                                 const int32_t *start)
{
    for (int32_t i = 0; i < p->planes; i++) {
        k->planes[i] = start != 0 ? (ek_bin_t)start[i] : 0;
    }
    count(w, k->parities, k->depth, k->planes, p->planes, k->list);
    return &w[(k->depth + 1) / 2 * 2];
}

static void bits_of(const ek_bin_conv2d_params *p, const work *k, const int32_t *start, uint32_t *y)
{
    const int32_t *w = p->weights;
    for (int32_t i = 0; i < p->words; i++) {
        w = count_word(p, k, w, start);
        start += p->planes;
        *y++ = k->planes[p->planes - 1];
    }
    uint32_t last = 0;
    const int32_t rest = p->out_c - p->words * EK_BIN_LANES;
    for (int32_t i = 0; i < rest; i++) {
        const int32_t sum = 2 * equal_bits(k->bits, &k->rows[i * k->length], k->length);
        last |= (sum + start[i] >= 0 ? 1U : 0U) << i;
    }
    if (rest > 0) {
        *y = last;
    }
}

static void sums_of(const ek_bin_conv2d_params *p, const work *k, const int32_t *start, int8_t *y)
{
    const int32_t *w = p->weights;
    const int32_t counted = p->words * EK_BIN_LANES;
    for (int32_t c = 0; c < counted; c++) {
        if (c % EK_BIN_LANES == 0) {
            w = count_word(p, k, w, 0);
        }
        const int32_t equal = ek_bin_lane(k->planes, p->planes, c % EK_BIN_LANES);
        ek_bin_put(&p->result, c, 2 * equal + start[c], y);
    }
    for (int32_t c = counted; c < p->out_c; c++) {
        const int32_t *row = &k->rows[(c - counted) * k->length];
        ek_bin_put(&p->result, c, 2 * equal_bits(k->bits, row, k->length) + start[c], y);
    }
}

void ek_bin_conv2d(const ek_bin_conv2d_params *p, int32_t *scratch, const int8_t *x, int8_t *y)
{
    const ek_window *w = &p->window;
    const int32_t rest = p->out_c - p->words * EK_BIN_LANES;
    const int32_t size = p->to_bits != 0 ? p->words * p->planes + rest : p->out_c;
    const int32_t pixel_bytes = p->to_bits != 0
                                    ? (p->out_c + EK_BIN_LANES - 1) / EK_BIN_LANES * 4
                                    : p->out_c * (p->result.levels > 0 ? 1 : p->result.bytes);
    work k;
    k.depth = w->kernel_h * w->kernel_w * w->in_c;
    k.length = (k.depth + EK_BIN_LANES - 1) / EK_BIN_LANES;
    k.rows = &p->weights[p->words * ((k.depth + 1) / 2 * 2)];
    k.planes = (ek_bin_t *)(void *)scratch;
    k.bits = (uint32_t *)(void *)&scratch[p->planes];
    k.parities = &k.bits[k.length];
    k.list = (ek_bin_t *)(void *)&k.parities[k.length];
    for (int32_t row = 0; row < w->out_h; row++) {
        const int32_t row_class = p->classes[row] * p->column_classes;
        for (int32_t column = 0; column < w->out_w; column++) {
            const int32_t *start = &p->starts[(row_class + p->classes[w->out_h + column]) * size];
            gather(p, row * w->stride_h - w->pad_top, column * w->stride_w - w->pad_left,
                   (const uint32_t *)(const void *)x, k.bits);
            if (p->words > 0) {
                accumulate(k.bits, k.length, k.parities);
            }
            if (p->to_bits != 0) {
                bits_of(p, &k, start, (uint32_t *)(void *)y);
            } else {
                sums_of(p, &k, start, y);
            }
            y += pixel_bytes;
        }
    }
}
