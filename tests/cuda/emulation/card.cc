/* The machine that is emulated: cards, driver, errors and faults. */
#include "internal.h"

#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <string>

static std::recursive_mutex mutex;
static emulation_machine machine;
static bool ready;
static int current_device;
static cudaError_t last_error;
static bool sticky, expected;
static std::string fault;
static emulation_counts counts;

emulation_lock::emulation_lock()
{
    mutex.lock();
}

emulation_lock::~emulation_lock()
{
    mutex.unlock();
}

emulation_machine
emulation_machine_default(void)
{
    emulation_machine m = {1, 80, (size_t)256 << 20, 13000, 1};
    const char *seed = getenv("LODE_EMULATION_SEED"), *card = getenv("LODE_EMULATED_CARD");

    for (const char *p = card; p && *p;) {
        char key[16];
        unsigned long long value;
        char unit = 0;
        int n = 0;
        if (sscanf(p, "%15[a-z]=%llu%n", key, &value, &n) != 2) {
            fprintf(stderr, "emulation: LODE_EMULATED_CARD: cannot read \"%s\"\n", p);
            abort();
        }
        p += n;
        if (*p == 'K' || *p == 'M' || *p == 'G') unit = *p++;
        value <<= unit == 'K' ? 10 : unit == 'M' ? 20 : unit == 'G' ? 30 : 0;
        if (*p == ',') p++;
        const std::string name = key;
        if (name == "devices")
            m.n_devices = (int)value;
        else if (name == "cc")
            m.compute_capability = (int)value;
        else if (name == "memory")
            m.memory = (size_t)value;
        else if (name == "driver")
            m.driver_version = (int)value;
        else if (name == "seed")
            m.seed = value;
        else if (name == "cublas")
            emulation_without_cublas(value == 0);
        else {
            fprintf(stderr, "emulation: LODE_EMULATED_CARD: unknown \"%s\"\n", key);
            abort();
        }
    }
    if (seed) m.seed = strtoull(seed, NULL, 10);
    return m;
}

void
emulation_reset(const emulation_machine *m)
{
    ready = true; /* first: what is reset below asks for the machine */
    machine = *m;
    last_error = cudaSuccess;
    sticky = expected = false;
    fault.clear();
    counts = emulation_counts{};
    current_device = 0;
    emulation_stream_reset();
    emulation_memory_reset();
}

void
emulation_reseed(uint64_t seed)
{
    emulation_now();
    machine.seed = seed;
}

const emulation_machine *
emulation_now(void)
{
    if (!ready) {
        const emulation_machine m = emulation_machine_default();
        emulation_reset(&m);
    }
    return &machine;
}

/* ---- errors ---- */

void
emulation_fault_found(const char *text)
{
    if (!expected) {
        fprintf(stderr, "emulated CUDA: %s (seed %llu)\n", text, (unsigned long long)machine.seed);
        abort();
    }
    if (fault.empty()) fault = text;
    sticky = true;
    last_error = cudaErrorLaunchFailure;
}

void
emulation_expect_fault(void)
{
    emulation_now();
    expected = true;
    fault.clear();
}

const char *
emulation_take_fault(void)
{
    static std::string taken;

    taken = fault;
    fault.clear();
    expected = sticky = false;
    last_error = cudaSuccess;
    return taken.c_str();
}

bool
emulation_faulted(void)
{
    return sticky;
}

cudaError_t
emulation_error(cudaError_t error)
{
    if (sticky) return last_error = cudaErrorLaunchFailure;
    if (error != cudaSuccess) last_error = error;
    return error;
}

cudaError_t
cudaGetLastError(void)
{
    const cudaError_t error = last_error;
    if (!sticky) last_error = cudaSuccess;
    return error;
}

cudaError_t
cudaPeekAtLastError(void)
{
    return last_error;
}

static const struct {
    cudaError_t error;
    const char *name, *text;
} error_names[] = {
    {cudaSuccess, "cudaSuccess", "no error"},
    {cudaErrorInvalidValue, "cudaErrorInvalidValue", "invalid argument"},
    {cudaErrorMemoryAllocation, "cudaErrorMemoryAllocation", "out of memory"},
    {cudaErrorInitializationError, "cudaErrorInitializationError", "initialization error"},
    {cudaErrorInvalidConfiguration, "cudaErrorInvalidConfiguration",
     "invalid configuration argument"},
    {cudaErrorInvalidMemcpyDirection, "cudaErrorInvalidMemcpyDirection", "invalid copy direction"},
    {cudaErrorInsufficientDriver, "cudaErrorInsufficientDriver",
     "CUDA driver version is insufficient for CUDA runtime version"},
    {cudaErrorNoDevice, "cudaErrorNoDevice", "no CUDA-capable device is detected"},
    {cudaErrorInvalidDevice, "cudaErrorInvalidDevice", "invalid device ordinal"},
    {cudaErrorInvalidResourceHandle, "cudaErrorInvalidResourceHandle", "invalid resource handle"},
    {cudaErrorNotReady, "cudaErrorNotReady", "device not ready"},
    {cudaErrorIllegalAddress, "cudaErrorIllegalAddress",
     "an illegal memory access was encountered"},
    {cudaErrorLaunchOutOfResources, "cudaErrorLaunchOutOfResources",
     "too many resources requested for launch"},
    {cudaErrorHostMemoryAlreadyRegistered, "cudaErrorHostMemoryAlreadyRegistered",
     "part or all of the requested memory range is already mapped"},
    {cudaErrorHostMemoryNotRegistered, "cudaErrorHostMemoryNotRegistered",
     "pointer does not correspond to a registered memory region"},
    {cudaErrorLaunchFailure, "cudaErrorLaunchFailure", "unspecified launch failure"},
    {cudaErrorNotSupported, "cudaErrorNotSupported", "operation not supported"},
    {cudaErrorStreamCaptureUnsupported, "cudaErrorStreamCaptureUnsupported",
     "operation not permitted when stream is capturing"},
    {cudaErrorStreamCaptureInvalidated, "cudaErrorStreamCaptureInvalidated",
     "operation failed due to a previous error during capture"},
    {cudaErrorStreamCaptureUnjoined, "cudaErrorStreamCaptureUnjoined",
     "operation would result in a capture with unjoined work"},
    {cudaErrorStreamCaptureIsolation, "cudaErrorStreamCaptureIsolation",
     "dependency created on uncaptured work in another stream"},
    {cudaErrorStreamCaptureImplicit, "cudaErrorStreamCaptureImplicit",
     "operation would make the legacy stream depend on a capturing blocking stream"},
};

const char *
cudaGetErrorString(cudaError_t error)
{
    for (const auto &e : error_names)
        if (e.error == error) return e.text;
    return "unrecognized error code";
}

const char *
cudaGetErrorName(cudaError_t error)
{
    for (const auto &e : error_names)
        if (e.error == error) return e.name;
    return "cudaErrorUnknown";
}

/* ---- devices ---- */

/* What cards of one compute capability have, from the programming guide's table of technical specifications. */
static const struct {
    int capability;
    size_t shared_per_sm, shared_optin;
    int n_sms;
} cards[] = {
    {61, 48u << 10, 48u << 10, 20},     {75, 64u << 10, 64u << 10, 40},
    {80, 164u << 10, 163u << 10, 108},  {86, 100u << 10, 99u << 10, 84},
    {89, 100u << 10, 99u << 10, 128},   {90, 228u << 10, 227u << 10, 132},
    {100, 228u << 10, 227u << 10, 148}, {120, 100u << 10, 99u << 10, 170},
};

static const decltype(cards[0]) &
card_now(void)
{
    for (const auto &c : cards)
        if (c.capability == emulation_now()->compute_capability) return c;
    fprintf(stderr, "emulation: no card of compute capability %d\n", machine.compute_capability);
    abort();
}

size_t
emulation_shared_limit(void)
{
    return card_now().shared_optin;
}

emulation_counts *
emulation_counters(void)
{
    return &counts;
}

emulation_counts
emulation_count(void)
{
    return counts;
}

/* What every call says on a machine that cannot run anything. */
static cudaError_t
machine_error(void)
{
    const emulation_machine *m = emulation_now();

    if (m->driver_version < 13000) return emulation_error(cudaErrorInsufficientDriver);
    return m->n_devices == 0 ? emulation_error(cudaErrorNoDevice) : cudaSuccess;
}

cudaError_t
cudaDriverGetVersion(int *version)
{
    *version = emulation_now()->driver_version;
    return cudaSuccess;
}

cudaError_t
cudaRuntimeGetVersion(int *version)
{
    *version = 13000;
    return cudaSuccess;
}

cudaError_t
cudaGetDeviceCount(int *count)
{
    *count = 0;
    const cudaError_t error = machine_error();
    if (error == cudaSuccess) *count = machine.n_devices;
    return error;
}

cudaError_t
cudaGetDevice(int *device)
{
    *device = current_device;
    return machine_error();
}

cudaError_t
cudaSetDevice(int device)
{
    const cudaError_t error = machine_error();

    if (error != cudaSuccess) return error;
    if (device < 0 || device >= machine.n_devices) return emulation_error(cudaErrorInvalidDevice);
    current_device = device;
    return cudaSuccess;
}

cudaError_t
cudaGetDeviceProperties(cudaDeviceProp *prop, int device)
{
    const cudaError_t error = machine_error();

    if (error != cudaSuccess) return error;
    if (device < 0 || device >= machine.n_devices) return emulation_error(cudaErrorInvalidDevice);
    const auto &card = card_now();
    *prop = cudaDeviceProp{};
    snprintf(prop->name, sizeof prop->name, "Emulated card %d", device);
    prop->totalGlobalMem = machine.memory;
    prop->sharedMemPerBlock = 48u << 10;
    prop->sharedMemPerBlockOptin = card.shared_optin;
    prop->sharedMemPerMultiprocessor = card.shared_per_sm;
    prop->regsPerBlock = 65536;
    prop->warpSize = 32;
    prop->maxThreadsPerBlock = 1024;
    prop->major = machine.compute_capability / 10;
    prop->minor = machine.compute_capability % 10;
    prop->multiProcessorCount = card.n_sms;
    prop->l2CacheSize = 4 << 20;
    prop->memoryBusWidth = 256;
    return cudaSuccess;
}

cudaError_t
cudaDeviceGetAttribute(int *value, cudaDeviceAttr attribute, int device)
{
    cudaDeviceProp p;
    const cudaError_t error = cudaGetDeviceProperties(&p, device);

    if (error != cudaSuccess) return error;
    switch (attribute) {
    case cudaDevAttrMaxThreadsPerBlock:
        *value = p.maxThreadsPerBlock;
        break;
    case cudaDevAttrMaxSharedMemoryPerBlock:
        *value = (int)p.sharedMemPerBlock;
        break;
    case cudaDevAttrMultiProcessorCount:
        *value = p.multiProcessorCount;
        break;
    case cudaDevAttrL2CacheSize:
        *value = p.l2CacheSize;
        break;
    case cudaDevAttrComputeCapabilityMajor:
        *value = p.major;
        break;
    case cudaDevAttrComputeCapabilityMinor:
        *value = p.minor;
        break;
    case cudaDevAttrMaxSharedMemoryPerMultiprocessor:
        *value = (int)p.sharedMemPerMultiprocessor;
        break;
    case cudaDevAttrMaxSharedMemoryPerBlockOptin:
        *value = (int)p.sharedMemPerBlockOptin;
        break;
    default:
        return emulation_error(cudaErrorInvalidValue);
    }
    return cudaSuccess;
}
