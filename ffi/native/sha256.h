/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SHA-256 (FIPS 180-4) over pieces, by the processor's own instructions where it has them. Included once, by record.c.
 */
#ifndef AGENTGUARD_SHA256_H
#define AGENTGUARD_SHA256_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if defined(__x86_64__)
#include <cpuid.h>
#include <immintrin.h>
#endif

#define SHA256_BYTES 32
#define SHA256_BLOCK 64

/* A hash under way. */
struct sha256 {
	uint32_t state[8];
	uint64_t bytes;
	uint8_t rest[SHA256_BLOCK];
};

static const uint32_t sha256_k[64] = {
	0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
	0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
	0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
	0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
	0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
	0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
	0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
	0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

static const uint32_t sha256_start[8] = {
	0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19,
};

static inline uint32_t sha256_turn(uint32_t word, int bits)
{
	return word >> bits | word << (32 - bits);
}

/* FIPS 180-4 section 6.2.2, for processors without instructions of their own. */
static void sha256_blocks_plain(uint32_t state[8], const uint8_t *data, size_t blocks)
{
	uint32_t w[64], v[8];

	for (; blocks > 0; blocks--, data += SHA256_BLOCK) {
		for (int t = 0; t < 16; t++)
			w[t] = (uint32_t)data[4 * t] << 24 | (uint32_t)data[4 * t + 1] << 16 |
			       (uint32_t)data[4 * t + 2] << 8 | data[4 * t + 3];
		for (int t = 16; t < 64; t++) {
			uint32_t a = w[t - 15], b = w[t - 2];

			w[t] = w[t - 16] + (sha256_turn(a, 7) ^ sha256_turn(a, 18) ^ a >> 3) + w[t - 7] +
			       (sha256_turn(b, 17) ^ sha256_turn(b, 19) ^ b >> 10);
		}
		memcpy(v, state, sizeof(v));
		for (int t = 0; t < 64; t++) {
			uint32_t a = v[0], e = v[4];
			uint32_t one = v[7] + (sha256_turn(e, 6) ^ sha256_turn(e, 11) ^ sha256_turn(e, 25)) +
				       ((e & v[5]) ^ (~e & v[6])) + sha256_k[t] + w[t];
			uint32_t two = (sha256_turn(a, 2) ^ sha256_turn(a, 13) ^ sha256_turn(a, 22)) +
				       ((a & v[1]) ^ (a & v[2]) ^ (v[1] & v[2]));

			memmove(v + 1, v, 7 * sizeof(v[0]));
			v[4] += one;
			v[0] = one + two;
		}
		for (int i = 0; i < 8; i++)
			state[i] += v[i];
	}
}

#if defined(__x86_64__)
/*
 * The same by the SHA extensions: Intel Architecture Instruction Set Extensions Programming Reference, chapter 8. The
 * instructions want the state as ABEF and CDGH, and do two rounds each.
 */
__attribute__((target("sha,sse4.1,ssse3"))) static void sha256_blocks_fast(uint32_t state[8], const uint8_t *data,
									   size_t blocks)
{
	const __m128i swap = _mm_set_epi64x(0x0c0d0e0f08090a0bll, 0x0405060700010203ll);
	__m128i abcd = _mm_shuffle_epi32(_mm_loadu_si128((const __m128i *)state), 0xb1);
	__m128i efgh = _mm_shuffle_epi32(_mm_loadu_si128((const __m128i *)(state + 4)), 0x1b);
	__m128i abef = _mm_alignr_epi8(abcd, efgh, 8), cdgh = _mm_blend_epi16(efgh, abcd, 0xf0);

	for (; blocks > 0; blocks--, data += SHA256_BLOCK) {
		__m128i abef_before = abef, cdgh_before = cdgh, w[4];

		for (int i = 0; i < 4; i++)
			w[i] = _mm_shuffle_epi8(_mm_loadu_si128((const __m128i *)(data + 16 * i)), swap);
#pragma GCC unroll 16
		for (int i = 0; i < 16; i++) {
			__m128i sum = _mm_add_epi32(w[i & 3], _mm_loadu_si128((const __m128i *)(sha256_k + 4 * i)));

			cdgh = _mm_sha256rnds2_epu32(cdgh, abef, sum);
			abef = _mm_sha256rnds2_epu32(abef, cdgh, _mm_shuffle_epi32(sum, 0x0e));
			if (i < 12) {
				__m128i seven = _mm_alignr_epi8(w[(i + 3) & 3], w[(i + 2) & 3], 4);
				__m128i next = _mm_add_epi32(_mm_sha256msg1_epu32(w[i & 3], w[(i + 1) & 3]), seven);

				w[i & 3] = _mm_sha256msg2_epu32(next, w[(i + 3) & 3]);
			}
		}
		abef = _mm_add_epi32(abef, abef_before);
		cdgh = _mm_add_epi32(cdgh, cdgh_before);
	}
	abcd = _mm_shuffle_epi32(abef, 0x1b);
	efgh = _mm_shuffle_epi32(cdgh, 0xb1);
	_mm_storeu_si128((__m128i *)state, _mm_blend_epi16(abcd, efgh, 0xf0));
	_mm_storeu_si128((__m128i *)(state + 4), _mm_alignr_epi8(efgh, abcd, 8));
}

/* CPUID leaf 7, EBX bit 29; leaf 1, ECX bits 9 and 19. */
static int sha256_is_fast(void)
{
	unsigned int a, b, c, d;

	if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & 1u << 9) || !(c & 1u << 19))
		return 0;
	return __get_cpuid_count(7, 0, &a, &b, &c, &d) && (b & 1u << 29);
}
#endif

typedef void (*sha256_blocks_function)(uint32_t state[8], const uint8_t *data, size_t blocks);

/* The fastest that this processor has: found when the library is loaded, as a virtual machine's CPUID costs 30 us. */
static sha256_blocks_function sha256_best = sha256_blocks_plain;

#if defined(__x86_64__)
__attribute__((constructor)) static void sha256_choose(void)
{
	if (sha256_is_fast())
		sha256_best = sha256_blocks_fast;
}
#endif

static inline void sha256_begin(struct sha256 *hash)
{
	memcpy(hash->state, sha256_start, sizeof(hash->state));
	hash->bytes = 0;
}

static inline void sha256_add(struct sha256 *hash, sha256_blocks_function blocks, const void *piece, size_t bytes)
{
	const uint8_t *data = piece;
	size_t held = hash->bytes % SHA256_BLOCK;

	hash->bytes += bytes;
	if (held > 0) {
		size_t take = SHA256_BLOCK - held < bytes ? SHA256_BLOCK - held : bytes;

		memcpy(hash->rest + held, data, take);
		data += take;
		bytes -= take;
		if (held + take < SHA256_BLOCK)
			return;
		blocks(hash->state, hash->rest, 1);
	}
	if (bytes >= SHA256_BLOCK)
		blocks(hash->state, data, bytes / SHA256_BLOCK);
	memcpy(hash->rest, data + bytes / SHA256_BLOCK * SHA256_BLOCK, bytes % SHA256_BLOCK);
}

static inline void sha256_end(struct sha256 *hash, sha256_blocks_function blocks, uint8_t out[SHA256_BYTES])
{
	size_t held = hash->bytes % SHA256_BLOCK;
	uint64_t bits = hash->bytes * 8;

	hash->rest[held++] = 0x80;
	if (held > SHA256_BLOCK - 8) {
		memset(hash->rest + held, 0, SHA256_BLOCK - held);
		blocks(hash->state, hash->rest, 1);
		held = 0;
	}
	memset(hash->rest + held, 0, SHA256_BLOCK - 8 - held);
	for (int i = 0; i < 8; i++)
		hash->rest[SHA256_BLOCK - 1 - i] = (uint8_t)(bits >> 8 * i);
	blocks(hash->state, hash->rest, 1);
	for (int i = 0; i < SHA256_BYTES; i++)
		out[i] = (uint8_t)(hash->state[i / 4] >> (24 - 8 * (i % 4)));
}

#endif
