/* The four functions a freestanding compiler calls on its own. Word-wise where aligned: inputs and
 * tensors are copied with them. */
#include <stddef.h>
#include <stdint.h>

void *memcpy(void *restrict to, const void *restrict from, size_t n);
void *memmove(void *to, const void *from, size_t n);
void *memset(void *to, int value, size_t n);
int memcmp(const void *a, const void *b, size_t n);

/* Or the compiler turns these loops into calls of the functions they implement. */
#if defined(__clang__)
#define EK_PLAIN __attribute__((no_builtin("memcpy", "memmove", "memset", "memcmp")))
#else
#define EK_PLAIN __attribute__((optimize("no-tree-loop-distribute-patterns")))
#endif

typedef uint32_t __attribute__((may_alias)) word;

EK_PLAIN void *memcpy(void *restrict to, const void *restrict from, size_t n)
{
    uint8_t *d = to;
    const uint8_t *s = from;

    if ((((uintptr_t)d | (uintptr_t)s) & 3u) == 0) {
        for (; n >= 4; n -= 4, d += 4, s += 4) {
            *(word *)(void *)d = *(const word *)(const void *)s;
        }
    }
    for (; n > 0; n--) {
        *d++ = *s++;
    }
    return to;
}

EK_PLAIN void *memset(void *to, int value, size_t n)
{
    uint8_t *d = to;
    uint32_t byte = (uint32_t)value & 0xFFu;

    if (((uintptr_t)d & 3u) == 0) {
        for (; n >= 4; n -= 4, d += 4) {
            *(word *)(void *)d = byte * 0x01010101u;
        }
    }
    for (; n > 0; n--) {
        *d++ = (uint8_t)byte;
    }
    return to;
}

EK_PLAIN void *memmove(void *to, const void *from, size_t n)
{
    uint8_t *d = to;
    const uint8_t *s = from;

    if ((uintptr_t)d <= (uintptr_t)s) {
        for (size_t i = 0; i < n; i++) {
            d[i] = s[i];
        }
    } else {
        for (size_t i = n; i > 0; i--) {
            d[i - 1] = s[i - 1];
        }
    }
    return to;
}

EK_PLAIN int memcmp(const void *a, const void *b, size_t n)
{
    const uint8_t *p = a;
    const uint8_t *q = b;

    for (size_t i = 0; i < n; i++) {
        if (p[i] != q[i]) {
            return (int)p[i] - (int)q[i];
        }
    }
    return 0;
}
