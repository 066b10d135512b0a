/* Device memory: one range of addresses of the card's size, so that the host can be kept out of all of it at once.
 * Allocations are 256-byte aligned, as on the device, with a guard of as much behind each; freed ones are poisoned and
 * given out again last. Pinned host memory is ordinary memory that is remembered. */
#include "internal.h"

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <iterator>
#include <map>
#include <sys/mman.h>
#include <unistd.h>

#define ALIGN      ((size_t)256)
#define GUARD_BYTE 0x5c

struct piece {
    size_t n_bytes; /* asked for */
    size_t n_room;  /* with guard */
    bool used;
};

static unsigned char *card;
static size_t card_room;               /* mapped */
static size_t in_use;                  /* rounded bytes, what the limit is about */
static size_t touched;                 /* everything above was never given out */
static std::map<size_t, piece> pieces; /* by offset */
static std::map<uintptr_t, size_t> pinned, registered;
static bool is_open;
static struct sigaction before_us;

static void
host_touched(int number, siginfo_t *info, void *context)
{
    const unsigned char *at = static_cast<const unsigned char *>(info->si_addr);

    if (card && at >= card && at < card + card_room) {
        static const char text[] = "emulated CUDA: the host touched device memory\n";
        if (write(2, text, sizeof text - 1) < 0) abort();
    }
    if ((before_us.sa_flags & SA_SIGINFO) && before_us.sa_sigaction) {
        before_us.sa_sigaction(number, info, context);
        return;
    }
    signal(number, SIG_DFL);
    raise(number);
}

static void
card_map(void)
{
    /* the guards' room on top of the card's own; addresses only, nothing is paid before it is used */
    card_room = (emulation_now()->memory * 2 + ((size_t)64 << 20)) & ~(size_t)4095;
    void *memory =
        mmap(NULL, card_room, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) {
        fprintf(stderr, "emulation: no addresses for a card of %zu bytes\n", card_room);
        abort();
    }
    card = static_cast<unsigned char *>(memory);
    struct sigaction action = {};
    action.sa_sigaction = host_touched;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK;
    struct sigaction now;
    sigaction(SIGSEGV, NULL, &now);
    if (!(now.sa_flags & SA_SIGINFO) || now.sa_sigaction != host_touched)
        sigaction(SIGSEGV, &action, &before_us);
}

void
emulation_memory_reset(void)
{
    if (card) {
        emulation_unpoison(card, card_room);
        munmap(card, card_room);
    }
    card = NULL;
    in_use = touched = 0;
    pieces.clear();
    for (const auto &p : pinned)
        free(reinterpret_cast<void *>(p.first));
    pinned.clear();
    registered.clear();
    is_open = false;
}

static void
protect(int protection)
{
    const size_t n = (touched + 4095) & ~(size_t)4095;
    if (n && mprotect(card, n, protection) != 0) {
        perror("emulation: mprotect");
        abort();
    }
}

void
emulation_memory_open(void)
{
    if (!is_open) protect(PROT_READ | PROT_WRITE);
    is_open = true;
}

void
emulation_memory_close(void)
{
    if (is_open) protect(PROT_NONE);
    is_open = false;
}

bool
emulation_in_card(const void *memory)
{
    const unsigned char *m = static_cast<const unsigned char *>(memory);
    return card && m >= card && m < card + card_room;
}

static const std::pair<const size_t, piece> *
piece_of(const void *memory)
{
    if (!emulation_in_card(memory)) return NULL;
    const size_t at = (size_t)(static_cast<const unsigned char *>(memory) - card);
    auto it = pieces.upper_bound(at);
    if (it == pieces.begin()) return NULL;
    --it;
    return it->second.used && at - it->first <= it->second.n_bytes ? &*it : NULL;
}

bool
emulation_is_device(const void *memory, size_t n_bytes)
{
    const auto *p = piece_of(memory);
    if (!p) return false;
    const size_t at = (size_t)(static_cast<const unsigned char *>(memory) - card) - p->first;
    return n_bytes <= p->second.n_bytes - at;
}

static bool
within(const std::map<uintptr_t, size_t> &ranges, const void *memory, size_t n_bytes)
{
    const uintptr_t at = reinterpret_cast<uintptr_t>(memory);
    auto it = ranges.upper_bound(at);
    if (it == ranges.begin()) return false;
    --it;
    return at - it->first <= it->second && n_bytes <= it->second - (at - it->first);
}

bool
emulation_is_pinned(const void *memory, size_t n_bytes)
{
    return within(pinned, memory, n_bytes) || within(registered, memory, n_bytes);
}

void
emulation_check_pointer(const char *kernel, size_t index, const void *pointer)
{
    if (!pointer || piece_of(pointer) || emulation_is_pinned(pointer, 0)) return;
    char text[256];
    snprintf(text, sizeof text, "kernel %s: argument %zu is a pointer to %s", kernel, index,
             emulation_in_card(pointer) ? "freed or never allocated device memory"
                                        : "memory of the host that the device cannot reach");
    emulation_fault_found(text);
}

static size_t
rounded(size_t n_bytes)
{
    return (n_bytes + ALIGN - 1) & ~(ALIGN - 1);
}

/* Neighbours that are free become one. */
static void
merge_free(void)
{
    for (auto it = pieces.begin(); it != pieces.end();) {
        const auto next = std::next(it);
        if (next != pieces.end() && !it->second.used && !next->second.used) {
            it->second.n_room += next->second.n_room;
            pieces.erase(next);
        } else {
            it = next;
        }
    }
}

cudaError_t
emulation_malloc(void **memory, size_t n_bytes)
{
    const emulation_lock lock;
    const emulation_machine *m = emulation_now();
    int n_devices;

    *memory = NULL;
    if (cudaGetDeviceCount(&n_devices) != cudaSuccess) return cudaPeekAtLastError();
    if (emulation_faulted()) return cudaErrorLaunchFailure;
    if (emulation_capturing()) return emulation_error(cudaErrorStreamCaptureUnsupported);
    if (n_bytes == 0) return cudaSuccess;
    if (n_bytes > m->memory || rounded(n_bytes) > m->memory - in_use)
        return emulation_error(cudaErrorMemoryAllocation);
    if (!card) card_map();
    const size_t room = rounded(n_bytes) + ALIGN;
    size_t at = touched;
    if (at + room > card_room) { /* only then what was freed is used again */
        merge_free();
        for (const auto &p : pieces)
            if (!p.second.used && p.second.n_room >= room) {
                at = p.first;
                break;
            }
        if (at == touched) return emulation_error(cudaErrorMemoryAllocation);
        const size_t left = pieces[at].n_room - room;
        if (left) pieces[at + room] = {0, left, false};
    }
    emulation_memory_close();
    pieces[at] = {n_bytes, room, true};
    if (at == touched) touched += room;
    emulation_memory_open();
    emulation_unpoison(card + at, room);
    memset(card + at, EMULATION_POISON, n_bytes);
    memset(card + at + n_bytes, GUARD_BYTE, room - n_bytes);
    emulation_poison(card + at + n_bytes, room - n_bytes);
    emulation_memory_close();
    in_use += rounded(n_bytes);
    emulation_counts *c = emulation_counters();
    c->memory_now = in_use;
    if (in_use > c->memory_peak) c->memory_peak = in_use;
    *memory = card + at;
    return cudaSuccess;
}

cudaError_t
cudaFree(void *memory)
{
    const emulation_lock lock;
    if (!memory) return cudaSuccess;
    if (emulation_capturing()) return emulation_error(cudaErrorStreamCaptureUnsupported);
    emulation_run_all();
    const auto *found = piece_of(memory);
    if (!found || card + found->first != memory) return emulation_error(cudaErrorInvalidValue);
    const size_t at = found->first;
    piece &p = pieces[at];
    emulation_memory_open();
    emulation_unpoison(card + at, p.n_room);
    for (size_t i = p.n_bytes; i < p.n_room; i++)
        if (card[at + i] != GUARD_BYTE) {
            char text[128];
            snprintf(text, sizeof text,
                     "something wrote %zu bytes behind an allocation of %zu bytes", i - p.n_bytes,
                     p.n_bytes);
            emulation_fault_found(text);
            break;
        }
    memset(card + at, EMULATION_POISON, p.n_room);
    emulation_poison(card + at, p.n_room);
    emulation_memory_close();
    p.used = false;
    in_use -= rounded(p.n_bytes);
    emulation_counters()->memory_now = in_use;
    return cudaSuccess;
}

cudaError_t
cudaMemGetInfo(size_t *n_free, size_t *n_total)
{
    const emulation_lock lock;
    int n_devices;

    if (cudaGetDeviceCount(&n_devices) != cudaSuccess) return cudaPeekAtLastError();
    *n_total = emulation_now()->memory;
    *n_free = *n_total - in_use;
    return cudaSuccess;
}

cudaError_t
emulation_malloc_host(void **memory, size_t n_bytes)
{
    const emulation_lock lock;
    int n_devices;

    *memory = NULL;
    if (cudaGetDeviceCount(&n_devices) != cudaSuccess) return cudaPeekAtLastError();
    void *m = n_bytes ? aligned_alloc(4096, (n_bytes + 4095) & ~(size_t)4095) : NULL;
    if (!m) return emulation_error(n_bytes ? cudaErrorMemoryAllocation : cudaErrorInvalidValue);
    memset(m, EMULATION_POISON, n_bytes);
    pinned[reinterpret_cast<uintptr_t>(m)] = n_bytes;
    *memory = m;
    return cudaSuccess;
}

cudaError_t
cudaFreeHost(void *memory)
{
    const emulation_lock lock;
    if (!memory) return cudaSuccess;
    if (pinned.find(reinterpret_cast<uintptr_t>(memory)) == pinned.end())
        return emulation_error(cudaErrorInvalidValue);
    emulation_run_all();
    pinned.erase(reinterpret_cast<uintptr_t>(memory));
    free(memory);
    return cudaSuccess;
}

cudaError_t
cudaHostRegister(void *memory, size_t n_bytes, unsigned flags)
{
    const emulation_lock lock;
    int n_devices;
    (void)flags;

    if (cudaGetDeviceCount(&n_devices) != cudaSuccess) return cudaPeekAtLastError();
    if (!memory || n_bytes == 0) return emulation_error(cudaErrorInvalidValue);
    if (emulation_is_pinned(memory, 1))
        return emulation_error(cudaErrorHostMemoryAlreadyRegistered);
    registered[reinterpret_cast<uintptr_t>(memory)] = n_bytes;
    return cudaSuccess;
}

cudaError_t
cudaHostUnregister(void *memory)
{
    const emulation_lock lock;
    if (registered.find(reinterpret_cast<uintptr_t>(memory)) == registered.end())
        return emulation_error(cudaErrorHostMemoryNotRegistered);
    emulation_run_all();
    registered.erase(reinterpret_cast<uintptr_t>(memory));
    return cudaSuccess;
}
