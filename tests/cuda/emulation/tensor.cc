/* Warp-wide matrix instructions, by their fragment layouts.
 *
 * With g = lane / 4 and t = lane % 4, for 16-bit inputs of m16n8k16:
 *   a[0] row g, columns 2t 2t+1;  a[1] row g+8;  a[2] row g, columns 2t+8 2t+9;  a[3] row g+8 there
 *   b[0] rows 2t 2t+1 of column g;  b[1] rows 2t+8 2t+9
 *   c, d [0 1] row g, columns 2t 2t+1;  [2 3] row g+8
 * and for bytes of m16n8k32 the same with four bytes where there are two halves: columns 4t.., and +16.
 * Source: PTX ISA, "Warp-level matrix instructions", mma.m16n8k16, mma.m16n8k32 and ldmatrix. */
#include "internal.h"

struct mma_request : emulation_request {
    const unsigned *a, *b;
    const void *c;
    void *d;
    bool bf16;
};

static double
element_16(unsigned word, int which, bool bf16)
{
    const uint16_t bits = (uint16_t)(word >> 16 * which);
    return bf16 ? emulation_float((uint32_t)bits << 16) : emulation_half_to_float(bits);
}

static void
complete_16816(emulation_request *const lanes[32], unsigned)
{
    double a[16][16], b[16][8];
    const mma_request *r[32];

    for (int lane = 0; lane < 32; lane++) {
        const int g = lane / 4, t = lane % 4;
        r[lane] = static_cast<const mma_request *>(lanes[lane]);
        for (int e = 0; e < 2; e++) {
            for (int i = 0; i < 4; i++)
                a[g + (i & 1) * 8][2 * t + (i >> 1) * 8 + e] =
                    element_16(r[lane]->a[i], e, r[lane]->bf16);
            for (int i = 0; i < 2; i++)
                b[2 * t + 8 * i + e][g] = element_16(r[lane]->b[i], e, r[lane]->bf16);
        }
    }
    for (int lane = 0; lane < 32; lane++) {
        const int g = lane / 4, t = lane % 4;
        const float *c = static_cast<const float *>(r[lane]->c);
        float d[4];
        for (int i = 0; i < 4; i++) {
            double sum = c[i];
            for (int k = 0; k < 16; k++)
                sum += a[g + (i >> 1) * 8][k] * b[k][2 * t + (i & 1)];
            d[i] = (float)sum;
        }
        memcpy(r[lane]->d, d, sizeof d);
    }
}

static void
multiply(emulation_complete complete, const char *name, void *d, const unsigned *a,
         const unsigned *b, const void *c, bool bf16, const char *file, int line)
{
    mma_request request;

    static_cast<emulation_request &>(request) = {complete, name, 0xffffffffu, file, line};
    request.a = a;
    request.b = b;
    request.c = c;
    request.d = d;
    request.bf16 = bf16;
    emulation_warp(&request);
}

void
emulation_mma_16816(float d[4], const unsigned a[4], const unsigned b[2], const float c[4],
                    bool bf16, const char *file, int line)
{
    multiply(complete_16816, bf16 ? "mma_bf16" : "mma_f16", d, a, b, c, bf16, file, line);
}

/* ---- ldmatrix ---- */

struct ldmatrix_request : emulation_request {
    unsigned *r;
    const unsigned char *row;
    int n;
    bool transposed;
};

static void
complete_ldmatrix(emulation_request *const lanes[32], unsigned)
{
    for (int lane = 0; lane < 32; lane++) {
        auto *mine = static_cast<ldmatrix_request *>(lanes[lane]);
        for (int i = 0; i < mine->n; i++) {
            uint16_t pair[2];
            for (int e = 0; e < 2; e++) {
                int row = lane / 4, column = 2 * (lane % 4) + e;
                if (mine->transposed) std::swap(row, column);
                const auto *from = static_cast<ldmatrix_request *>(lanes[8 * i + row]);
                memcpy(&pair[e], from->row + 2 * column, 2);
            }
            mine->r[i] = (unsigned)pair[1] << 16 | pair[0];
        }
    }
}

void
emulation_ldmatrix(unsigned *r, int n, bool transposed, const void *row, const char *file, int line)
{
    ldmatrix_request request;

    static_cast<emulation_request &>(request) = {complete_ldmatrix, "ldmatrix", 0xffffffffu, file,
                                                 line};
    request.r = r;
    request.row = static_cast<const unsigned char *>(row);
    request.n = n;
    request.transposed = transposed;
    if (emulation_running->lane < 8u * (unsigned)n && reinterpret_cast<uintptr_t>(row) % 16 != 0)
        emulation_fault("ldmatrix at %s:%d: a row that is not aligned to 16 bytes", file, line);
    emulation_warp(&request);
}
