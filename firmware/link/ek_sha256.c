#include "ek_sha256.h"

static const uint32_t k[64] = {
    0x428a2f98u, 0x71374491u, 0xb5c0fbcfu, 0xe9b5dba5u, 0x3956c25bu, 0x59f111f1u, 0x923f82a4u,
    0xab1c5ed5u, 0xd807aa98u, 0x12835b01u, 0x243185beu, 0x550c7dc3u, 0x72be5d74u, 0x80deb1feu,
    0x9bdc06a7u, 0xc19bf174u, 0xe49b69c1u, 0xefbe4786u, 0x0fc19dc6u, 0x240ca1ccu, 0x2de92c6fu,
    0x4a7484aau, 0x5cb0a9dcu, 0x76f988dau, 0x983e5152u, 0xa831c66du, 0xb00327c8u, 0xbf597fc7u,
    0xc6e00bf3u, 0xd5a79147u, 0x06ca6351u, 0x14292967u, 0x27b70a85u, 0x2e1b2138u, 0x4d2c6dfcu,
    0x53380d13u, 0x650a7354u, 0x766a0abbu, 0x81c2c92eu, 0x92722c85u, 0xa2bfe8a1u, 0xa81a664bu,
    0xc24b8b70u, 0xc76c51a3u, 0xd192e819u, 0xd6990624u, 0xf40e3585u, 0x106aa070u, 0x19a4c116u,
    0x1e376c08u, 0x2748774cu, 0x34b0bcb5u, 0x391c0cb3u, 0x4ed8aa4au, 0x5b9cca4fu, 0x682e6ff3u,
    0x748f82eeu, 0x78a5636fu, 0x84c87814u, 0x8cc70208u, 0x90befffau, 0xa4506cebu, 0xbef9a3f7u,
    0xc67178f2u,
};

static uint32_t rotate(uint32_t x, uint32_t n) { return (x >> n) | (x << (32u - n)); }

static void load(const uint8_t *block, uint32_t w[16])
{
    for (uint32_t i = 0; i < 16; i++) {
        w[i] = ((uint32_t)block[4 * i] << 24) | ((uint32_t)block[4 * i + 1] << 16) |
               ((uint32_t)block[4 * i + 2] << 8) | (uint32_t)block[4 * i + 3];
    }
}

static uint32_t extend(uint32_t w[16], uint32_t i)
{
    uint32_t a = w[(i + 1) & 15u];
    uint32_t b = w[(i + 14) & 15u];
    uint32_t s0 = rotate(a, 7) ^ rotate(a, 18) ^ (a >> 3);
    uint32_t s1 = rotate(b, 17) ^ rotate(b, 19) ^ (b >> 10);

    w[i & 15u] += s0 + s1 + w[(i + 9) & 15u];
    return w[i & 15u];
}

static void compress(uint32_t state[8], const uint8_t *block)
{
    uint32_t w[16];
    uint32_t s[8];

    load(block, w);
    for (uint32_t i = 0; i < 8; i++) {
        s[i] = state[i];
    }
    for (uint32_t i = 0; i < 64; i++) {
        uint32_t word = i < 16 ? w[i] : extend(w, i);
        uint32_t s1 = rotate(s[4], 6) ^ rotate(s[4], 11) ^ rotate(s[4], 25);
        uint32_t choice = (s[4] & s[5]) ^ (~s[4] & s[6]);
        uint32_t t1 = s[7] + s1 + choice + k[i] + word;
        uint32_t s0 = rotate(s[0], 2) ^ rotate(s[0], 13) ^ rotate(s[0], 22);
        uint32_t majority = (s[0] & s[1]) ^ (s[0] & s[2]) ^ (s[1] & s[2]);
        for (uint32_t j = 7; j > 0; j--) {
            s[j] = s[j - 1];
        }
        s[4] += t1;
        s[0] = t1 + s0 + majority;
    }
    for (uint32_t i = 0; i < 8; i++) {
        state[i] += s[i];
    }
}

void ek_sha256(const uint8_t *data, uint32_t n, uint8_t digest[32])
{
    uint32_t state[8] = {0x6a09e667u, 0xbb67ae85u, 0x3c6ef372u, 0xa54ff53au,
                         0x510e527fu, 0x9b05688cu, 0x1f83d9abu, 0x5be0cd19u};
    uint8_t last[64];
    uint32_t left = n;

    for (; left >= 64; left -= 64, data += 64) {
        compress(state, data);
    }
    for (uint32_t i = 0; i < 64; i++) {
        last[i] = i < left ? data[i] : (i == left ? 0x80u : 0u);
    }
    if (left >= 56) {
        compress(state, last);
        for (uint32_t i = 0; i < 64; i++) {
            last[i] = 0;
        }
    }
    for (uint32_t i = 0; i < 4; i++) {
        last[60 + i] = (uint8_t)((n << 3) >> (24 - 8 * i));
    }
    last[59] = (uint8_t)(n >> 29);
    compress(state, last);
    for (uint32_t i = 0; i < 32; i++) {
        digest[i] = (uint8_t)(state[i / 4] >> (24 - 8 * (i % 4)));
    }
}
