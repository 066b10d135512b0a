/* Streams, events, graphs: work is a node that waits for other nodes. Nothing runs when it is queued; a call that waits
 * runs nodes, drawn from the seed among those that wait for nothing more, until what it waits for is done.
 *
 * The legacy stream waits for all blocking streams and they for it; streams made non-blocking know nothing of it. */
#include "internal.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <map>
#include <memory>
#include <vector>

struct node {
    std::function<void()> run;
    std::vector<std::shared_ptr<node>> after;
    bool done;
};
typedef std::shared_ptr<node> node_ref;

struct graph_node {
    std::function<void()> run;
    std::vector<size_t> after;
};
struct emulation_graph {
    std::vector<graph_node> nodes;
    bool invalid;
};
struct emulation_graph_exec {
    std::vector<graph_node> nodes;
    node_ref last;
};
struct emulation_stream {
    bool blocking;
    node_ref last;
    emulation_graph *capture;
    bool origin; /* the capture began here */
    std::vector<size_t> capture_last;
};
struct emulation_event {
    node_ref recorded;
    std::shared_ptr<double> ms;
    emulation_graph *capture;
    std::vector<size_t> capture_last;
};

static emulation_stream legacy = {true, NULL, NULL, false, {}};
static std::vector<emulation_stream *> streams;
static std::vector<emulation_event *> events;
static std::vector<node_ref> pending;
static std::map<const void *, int> dynamic_limits;
static emulation_random draws;
static uint64_t n_grids;

void
emulation_stream_reset(void)
{
    pending.clear();
    legacy = {true, NULL, NULL, false, {}};
    for (emulation_stream *s : streams)
        s->last = NULL, s->capture = NULL, s->capture_last.clear();
    for (emulation_event *e : events)
        e->recorded = NULL, e->capture = NULL;
    dynamic_limits.clear();
    draws = emulation_random(emulation_now()->seed);
    n_grids = 0;
}

bool
emulation_capturing(void)
{
    for (const emulation_stream *s : streams)
        if (s->capture) return true;
    return false;
}

static emulation_stream *
stream_of(cudaStream_t stream)
{
    if (!stream) return &legacy;
    return std::find(streams.begin(), streams.end(), stream) == streams.end() ? NULL : stream;
}

/* ---- running ---- */

static bool
is_ready(const node_ref &n)
{
    for (const node_ref &a : n->after)
        if (!a->done) return false;
    return true;
}

/* Run one node that can run; false when there is none. */
static bool
run_one(void)
{
    size_t pick = 0, n_ready = 0;

    for (size_t i = 0; i < pending.size(); i++)
        if (is_ready(pending[i]) && draws.below(++n_ready) == 0) pick = i;
    if (n_ready == 0) return false;
    const node_ref n = pending[pick];
    pending.erase(pending.begin() + (ptrdiff_t)pick);
    if (n->run && !emulation_faulted()) n->run();
    n->done = true;
    n->after.clear();
    n->run = nullptr;
    return true;
}

static cudaError_t
run_until(const node_ref &target)
{
    emulation_memory_open();
    while (target && !target->done && run_one())
        ;
    emulation_memory_close();
    emulation_counters()->syncs++;
    return emulation_faulted() ? emulation_error(cudaErrorLaunchFailure) : cudaSuccess;
}

cudaError_t
emulation_run_all(void)
{
    emulation_memory_open();
    while (run_one())
        ;
    emulation_memory_close();
    emulation_counters()->syncs++;
    return emulation_faulted() ? emulation_error(cudaErrorLaunchFailure) : cudaSuccess;
}

/* ---- queueing ---- */

static void
queue_after(emulation_stream *s, std::vector<node_ref> after, std::function<void()> run)
{
    const node_ref n = std::make_shared<node>();

    if (s->last && !s->last->done) after.push_back(s->last);
    if (s == &legacy) {
        for (const emulation_stream *o : streams)
            if (o->blocking && o->last && !o->last->done) after.push_back(o->last);
    } else if (s->blocking && legacy.last && !legacy.last->done) {
        after.push_back(legacy.last);
    }
    n->run = std::move(run);
    n->after = std::move(after);
    n->done = false;
    s->last = n;
    pending.push_back(n);
}

static cudaError_t
capture_error(cudaError_t error)
{
    for (emulation_stream *s : streams)
        if (s->capture) s->capture->invalid = true;
    return emulation_error(error);
}

static bool
capturing_blocking(void)
{
    for (const emulation_stream *s : streams)
        if (s->capture && s->blocking) return true;
    return false;
}

cudaError_t
emulation_enqueue(cudaStream_t stream, std::function<void()> run)
{
    emulation_stream *s = stream_of(stream);
    int n_devices;

    if (cudaGetDeviceCount(&n_devices) != cudaSuccess) return cudaPeekAtLastError();
    if (emulation_faulted()) return emulation_error(cudaErrorLaunchFailure);
    if (!s) return emulation_error(cudaErrorInvalidResourceHandle);
    if (s == &legacy && capturing_blocking()) return capture_error(cudaErrorStreamCaptureImplicit);
    if (s->capture) {
        if (s->capture->invalid) return emulation_error(cudaErrorStreamCaptureInvalidated);
        s->capture->nodes.push_back({std::move(run), s->capture_last});
        s->capture_last = {s->capture->nodes.size() - 1};
        return cudaSuccess;
    }
    queue_after(s, {}, std::move(run));
    return cudaSuccess;
}

/* ---- launches ---- */

cudaError_t
emulation_func_set_attribute(const void *kernel, cudaFuncAttribute attribute, int value)
{
    const emulation_lock lock;

    if (attribute == cudaFuncAttributePreferredSharedMemoryCarveout) return cudaSuccess;
    if (value < 0 || (size_t)value > emulation_shared_limit())
        return emulation_error(cudaErrorInvalidValue);
    dynamic_limits[kernel] = value;
    return cudaSuccess;
}

cudaError_t
emulation_launch(const emulation_launch_config &config, std::function<void()> body)
{
    const emulation_lock lock;
    const dim3 g = config.grid, b = config.block;
    const uint64_t n_threads = (uint64_t)b.x * b.y * b.z;
    const auto opted = dynamic_limits.find(config.function);
    const size_t dynamic = opted == dynamic_limits.end() || opted->second < 48 << 10
                               ? 48u << 10
                               : (size_t)opted->second;
    char text[256] = "";

    if (n_threads == 0 || n_threads > 1024 || b.z > 64)
        snprintf(text, sizeof text, "a block of %u x %u x %u threads", b.x, b.y, b.z);
    else if (g.x == 0 || g.y == 0 || g.z == 0 || g.x > 0x7fffffffu || g.y > 65535 || g.z > 65535)
        snprintf(text, sizeof text, "a grid of %u x %u x %u blocks", g.x, g.y, g.z);
    else if (config.shared > dynamic)
        snprintf(text, sizeof text, "%zu bytes of dynamic shared memory, at most %zu%s",
                 config.shared, dynamic,
                 opted == dynamic_limits.end() ? " without cudaFuncSetAttribute" : "");
    if (text[0]) {
        char whole[384];
        snprintf(whole, sizeof whole, "kernel %s: launched with %s", config.kernel, text);
        emulation_fault_found(whole);
        return emulation_error(cudaErrorInvalidConfiguration);
    }
    /* static and dynamic together: what the kernel opted in for, and its static part beside it */
    const size_t limit = dynamic > 48u << 10 ? emulation_shared_limit() : 48u << 10;
    return emulation_enqueue(config.stream, [config, body, limit]() {
        emulation_counts *c = emulation_counters();
        c->launches++;
        c->blocks += (uint64_t)config.grid.x * config.grid.y * config.grid.z;
        emulation_run_grid(&config, body, limit,
                           emulation_now()->seed * 0x9e3779b97f4a7c15u + n_grids++);
    });
}

/* ---- copies ---- */

static void
copy_rows(unsigned char *dst, size_t dst_pitch, const unsigned char *src, size_t src_pitch,
          size_t width, size_t height)
{
    for (size_t y = 0; y < height; y++)
        memmove(dst + y * dst_pitch, src + y * src_pitch, width);
}

/* One side of a copy: on the device, and there within one allocation. */
static bool
check_side(const void *memory, size_t pitch, size_t width, size_t height, bool *device,
           const char *what)
{
    const size_t n_bytes = (height - 1) * pitch + width;

    *device = emulation_in_card(memory);
    if (!*device || emulation_is_device(memory, n_bytes)) return true;
    char text[160];
    snprintf(text, sizeof text,
             "copy of %zu bytes: its %s is not within one allocation of the device", n_bytes, what);
    emulation_fault_found(text);
    return false;
}

static cudaError_t
copy(void *to, size_t dst_pitch, const void *from, size_t src_pitch, size_t width, size_t height,
     cudaMemcpyKind kind, cudaStream_t stream)
{
    unsigned char *dst = static_cast<unsigned char *>(to);
    const unsigned char *src = static_cast<const unsigned char *>(from);
    bool to_device, from_device;
    int n_devices;

    if (cudaGetDeviceCount(&n_devices) != cudaSuccess) return cudaPeekAtLastError();
    if (width == 0 || height == 0) return cudaSuccess;
    if (!dst || !src || dst_pitch < width || src_pitch < width)
        return emulation_error(cudaErrorInvalidValue);
    if (!check_side(dst, dst_pitch, width, height, &to_device, "target") ||
        !check_side(src, src_pitch, width, height, &from_device, "source"))
        return emulation_error(cudaErrorInvalidValue);
    const bool wants_to = kind == cudaMemcpyHostToDevice || kind == cudaMemcpyDeviceToDevice;
    const bool wants_from = kind == cudaMemcpyDeviceToHost || kind == cudaMemcpyDeviceToDevice;
    if (kind != cudaMemcpyDefault && (wants_to != to_device || wants_from != from_device)) {
        emulation_fault_found("copy: its kind does not say where source and target lie");
        return emulation_error(cudaErrorInvalidMemcpyDirection);
    }
    emulation_stream *s = stream_of(stream);
    if (!s) return emulation_error(cudaErrorInvalidResourceHandle);
    emulation_counters()->copies++;
    const size_t src_bytes = (height - 1) * src_pitch + width;
    const size_t dst_bytes = (height - 1) * dst_pitch + width;
    const bool late_source = from_device || s->capture || emulation_is_pinned(src, src_bytes);
    if (!late_source) { /* pageable: staged before the call returns */
        auto staged = std::make_shared<std::vector<unsigned char>>(src, src + src_bytes);
        return emulation_enqueue(
            stream, [=]() { copy_rows(dst, dst_pitch, staged->data(), src_pitch, width, height); });
    }
    const bool late_target = to_device || s->capture || emulation_is_pinned(dst, dst_bytes);
    if (!to_device && late_target && !s->capture && !(src >= dst && src < dst + dst_bytes))
        for (size_t y = 0; y < height; y++)
            memset(dst + y * dst_pitch, EMULATION_POISON, width);
    const cudaError_t error = emulation_enqueue(
        stream, [=]() { copy_rows(dst, dst_pitch, src, src_pitch, width, height); });
    if (error != cudaSuccess || late_target) return error;
    return run_until(s->last);
}

cudaError_t
cudaMemcpy2DAsync(void *dst, size_t dst_pitch, const void *src, size_t src_pitch, size_t width,
                  size_t height, cudaMemcpyKind kind, cudaStream_t stream)
{
    const emulation_lock lock;
    return copy(dst, dst_pitch, src, src_pitch, width, height, kind, stream);
}

cudaError_t
cudaMemcpyAsync(void *dst, const void *src, size_t n_bytes, cudaMemcpyKind kind,
                cudaStream_t stream)
{
    const emulation_lock lock;
    return copy(dst, n_bytes, src, n_bytes, n_bytes, 1, kind, stream);
}

cudaError_t
cudaMemcpy2D(void *dst, size_t dst_pitch, const void *src, size_t src_pitch, size_t width,
             size_t height, cudaMemcpyKind kind)
{
    const emulation_lock lock;

    if (emulation_capturing()) return capture_error(cudaErrorStreamCaptureUnsupported);
    const cudaError_t error =
        copy(dst, dst_pitch, src, src_pitch, width, height, kind, cudaStreamLegacy);
    return error == cudaSuccess ? run_until(legacy.last) : error;
}

cudaError_t
cudaMemcpy(void *dst, const void *src, size_t n_bytes, cudaMemcpyKind kind)
{
    return cudaMemcpy2D(dst, n_bytes, src, n_bytes, n_bytes, 1, kind);
}

cudaError_t
cudaMemsetAsync(void *memory, int value, size_t n_bytes, cudaStream_t stream)
{
    const emulation_lock lock;

    if (n_bytes == 0) return cudaSuccess;
    if (!emulation_is_device(memory, n_bytes) && !emulation_is_pinned(memory, n_bytes)) {
        emulation_fault_found("memset: its target is not within one allocation of the device");
        return emulation_error(cudaErrorInvalidValue);
    }
    return emulation_enqueue(stream, [=]() { memset(memory, value, n_bytes); });
}

cudaError_t
cudaMemset(void *memory, int value, size_t n_bytes)
{
    const emulation_lock lock;

    if (emulation_capturing()) return capture_error(cudaErrorStreamCaptureUnsupported);
    return cudaMemsetAsync(memory, value, n_bytes, cudaStreamLegacy);
}

/* ---- streams ---- */

cudaError_t
cudaStreamCreateWithFlags(cudaStream_t *stream, unsigned flags)
{
    const emulation_lock lock;
    int n_devices;

    if (cudaGetDeviceCount(&n_devices) != cudaSuccess) return cudaPeekAtLastError();
    *stream = new emulation_stream{(flags & cudaStreamNonBlocking) == 0, NULL, NULL, false, {}};
    streams.push_back(*stream);
    return cudaSuccess;
}

cudaError_t
cudaStreamCreate(cudaStream_t *stream)
{
    return cudaStreamCreateWithFlags(stream, cudaStreamDefault);
}

cudaError_t
cudaStreamCreateWithPriority(cudaStream_t *stream, unsigned flags, int)
{
    return cudaStreamCreateWithFlags(stream, flags);
}

cudaError_t
cudaStreamDestroy(cudaStream_t stream)
{
    const emulation_lock lock;
    const auto at = std::find(streams.begin(), streams.end(), stream);

    if (at == streams.end()) return emulation_error(cudaErrorInvalidResourceHandle);
    if (stream->capture) return capture_error(cudaErrorStreamCaptureUnsupported);
    streams.erase(at);
    delete stream; /* its work lives on in `pending` */
    return cudaSuccess;
}

cudaError_t
cudaStreamSynchronize(cudaStream_t stream)
{
    const emulation_lock lock;
    emulation_stream *s = stream_of(stream);

    if (!s) return emulation_error(cudaErrorInvalidResourceHandle);
    if (s->capture || (s == &legacy && capturing_blocking()))
        return capture_error(cudaErrorStreamCaptureUnsupported);
    if (s != &legacy) return run_until(s->last);
    queue_after(&legacy, {}, nullptr); /* waits for the blocking streams as well */
    return run_until(legacy.last);
}

cudaError_t
cudaDeviceSynchronize(void)
{
    const emulation_lock lock;
    int n_devices;

    if (cudaGetDeviceCount(&n_devices) != cudaSuccess) return cudaPeekAtLastError();
    if (emulation_capturing()) return capture_error(cudaErrorStreamCaptureUnsupported);
    return emulation_run_all();
}

cudaError_t
cudaDeviceReset(void)
{
    const emulation_lock lock;
    const emulation_machine m = *emulation_now();

    emulation_run_all();
    emulation_reset(&m);
    return cudaSuccess;
}

cudaError_t
cudaStreamQuery(cudaStream_t stream)
{
    const emulation_lock lock;
    emulation_stream *s = stream_of(stream);

    if (!s) return emulation_error(cudaErrorInvalidResourceHandle);
    if (s->capture) return capture_error(cudaErrorStreamCaptureUnsupported);
    if (!s->last || s->last->done)
        return emulation_faulted() ? cudaErrorLaunchFailure : cudaSuccess;
    emulation_memory_open(); /* a little later it is further on */
    run_one();
    emulation_memory_close();
    return s->last->done ? cudaSuccess : cudaErrorNotReady;
}

cudaError_t
cudaLaunchHostFunc(cudaStream_t stream, cudaHostFn_t function, void *user_data)
{
    const emulation_lock lock;
    return emulation_enqueue(stream, [=]() {
        emulation_memory_close();
        function(user_data);
        emulation_memory_open();
    });
}

/* ---- events ---- */

cudaError_t
cudaEventCreateWithFlags(cudaEvent_t *event, unsigned)
{
    const emulation_lock lock;
    int n_devices;

    if (cudaGetDeviceCount(&n_devices) != cudaSuccess) return cudaPeekAtLastError();
    *event = new emulation_event{NULL, std::make_shared<double>(0.0), NULL, {}};
    events.push_back(*event);
    return cudaSuccess;
}

cudaError_t
cudaEventCreate(cudaEvent_t *event)
{
    return cudaEventCreateWithFlags(event, cudaEventDefault);
}

static bool
known(cudaEvent_t event)
{
    return std::find(events.begin(), events.end(), event) != events.end();
}

cudaError_t
cudaEventDestroy(cudaEvent_t event)
{
    const emulation_lock lock;

    if (!known(event)) return emulation_error(cudaErrorInvalidResourceHandle);
    events.erase(std::find(events.begin(), events.end(), event));
    delete event;
    return cudaSuccess;
}

static double
now_ms(void)
{
    return std::chrono::duration<double, std::milli>(
               std::chrono::steady_clock::now().time_since_epoch())
        .count();
}

cudaError_t
cudaEventRecord(cudaEvent_t event, cudaStream_t stream)
{
    const emulation_lock lock;
    emulation_stream *s = stream_of(stream);

    if (!s || !known(event)) return emulation_error(cudaErrorInvalidResourceHandle);
    if (s->capture) {
        event->capture = s->capture;
        event->capture_last = s->capture_last;
        event->recorded = NULL;
        return cudaSuccess;
    }
    const std::shared_ptr<double> ms = event->ms = std::make_shared<double>(0.0);
    event->capture = NULL;
    const cudaError_t error = emulation_enqueue(stream, [ms]() { *ms = now_ms(); });
    if (error == cudaSuccess) event->recorded = s->last;
    return error;
}

cudaError_t
cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned)
{
    const emulation_lock lock;
    emulation_stream *s = stream_of(stream);

    if (!s || !known(event)) return emulation_error(cudaErrorInvalidResourceHandle);
    if (event->capture) { /* a fork or a join */
        if (s == &legacy || (s->capture && s->capture != event->capture))
            return capture_error(cudaErrorStreamCaptureIsolation);
        s->capture = event->capture;
        s->capture_last.insert(s->capture_last.end(), event->capture_last.begin(),
                               event->capture_last.end());
        return cudaSuccess;
    }
    if (s->capture) return capture_error(cudaErrorStreamCaptureIsolation);
    if (!event->recorded || event->recorded->done) return cudaSuccess;
    queue_after(s, {event->recorded}, nullptr);
    return cudaSuccess;
}

cudaError_t
cudaEventSynchronize(cudaEvent_t event)
{
    const emulation_lock lock;

    if (!known(event)) return emulation_error(cudaErrorInvalidResourceHandle);
    if (event->capture) return capture_error(cudaErrorStreamCaptureUnsupported);
    return run_until(event->recorded);
}

cudaError_t
cudaEventQuery(cudaEvent_t event)
{
    const emulation_lock lock;

    if (!known(event)) return emulation_error(cudaErrorInvalidResourceHandle);
    if (event->capture) return capture_error(cudaErrorStreamCaptureUnsupported);
    if (event->recorded && !event->recorded->done) {
        emulation_memory_open();
        run_one();
        emulation_memory_close();
    }
    return event->recorded && !event->recorded->done ? cudaErrorNotReady : cudaSuccess;
}

cudaError_t
cudaEventElapsedTime(float *ms, cudaEvent_t start, cudaEvent_t stop)
{
    const emulation_lock lock;

    if (!known(start) || !known(stop) || !start->recorded || !stop->recorded)
        return emulation_error(cudaErrorInvalidResourceHandle);
    if (!start->recorded->done || !stop->recorded->done) return cudaErrorNotReady;
    *ms = (float)(*stop->ms - *start->ms);
    return cudaSuccess;
}

/* ---- graphs ---- */

cudaError_t
cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode)
{
    const emulation_lock lock;
    emulation_stream *s = stream_of(stream);

    if (!s) return emulation_error(cudaErrorInvalidResourceHandle);
    if (s == &legacy) return emulation_error(cudaErrorStreamCaptureUnsupported);
    if (s->capture) return emulation_error(cudaErrorInvalidValue);
    s->capture = new emulation_graph{{}, false};
    s->origin = true;
    s->capture_last.clear();
    return cudaSuccess;
}

/* Every node comes before one of `last`. */
static bool
joined(const emulation_graph *graph, const std::vector<size_t> &last)
{
    std::vector<bool> seen(graph->nodes.size());
    std::vector<size_t> stack = last;

    while (!stack.empty()) {
        const size_t i = stack.back();
        stack.pop_back();
        if (seen[i]) continue;
        seen[i] = true;
        for (const size_t a : graph->nodes[i].after)
            stack.push_back(a);
    }
    return std::find(seen.begin(), seen.end(), false) == seen.end();
}

cudaError_t
cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t *graph)
{
    const emulation_lock lock;
    emulation_stream *s = stream_of(stream);

    *graph = NULL;
    if (!s || !s->capture || !s->origin) return emulation_error(cudaErrorInvalidValue);
    emulation_graph *g = s->capture;
    cudaError_t error = cudaSuccess;
    if (g->invalid)
        error = cudaErrorStreamCaptureInvalidated;
    else if (!joined(g, s->capture_last))
        error = cudaErrorStreamCaptureUnjoined;
    for (emulation_stream *o : streams)
        if (o->capture == g) o->capture = NULL, o->origin = false, o->capture_last.clear();
    for (emulation_event *e : events)
        if (e->capture == g) e->capture = NULL, e->capture_last.clear();
    if (error != cudaSuccess) {
        delete g;
        return emulation_error(error);
    }
    *graph = g;
    return cudaSuccess;
}

cudaError_t
cudaStreamIsCapturing(cudaStream_t stream, cudaStreamCaptureStatus *status)
{
    const emulation_lock lock;
    emulation_stream *s = stream_of(stream);

    if (!s) return emulation_error(cudaErrorInvalidResourceHandle);
    *status = !s->capture           ? cudaStreamCaptureStatusNone
              : s->capture->invalid ? cudaStreamCaptureStatusInvalidated
                                    : cudaStreamCaptureStatusActive;
    return cudaSuccess;
}

cudaError_t
cudaGraphInstantiate(cudaGraphExec_t *exec, cudaGraph_t graph, unsigned long long)
{
    const emulation_lock lock;

    if (!graph) return emulation_error(cudaErrorInvalidValue);
    *exec = new emulation_graph_exec{graph->nodes, NULL};
    return cudaSuccess;
}

cudaError_t
cudaGraphLaunch(cudaGraphExec_t exec, cudaStream_t stream)
{
    const emulation_lock lock;
    emulation_stream *s = stream_of(stream);

    if (!s || !exec) return emulation_error(cudaErrorInvalidResourceHandle);
    if (s->capture) return capture_error(cudaErrorStreamCaptureUnsupported);
    std::vector<node_ref> before;
    if (exec->last) before.push_back(exec->last); /* one launch of a graph after the other */
    queue_after(s, before, nullptr);
    const node_ref first = s->last;
    std::vector<node_ref> made;
    for (const graph_node &g : exec->nodes) {
        const node_ref n = std::make_shared<node>();
        n->run = g.run;
        n->after.push_back(first);
        for (const size_t a : g.after)
            n->after.push_back(made[a]);
        n->done = false;
        made.push_back(n);
        pending.push_back(n);
    }
    queue_after(s, made, nullptr);
    exec->last = s->last;
    emulation_counters()->graph_launches++;
    return cudaSuccess;
}

cudaError_t
cudaGraphDestroy(cudaGraph_t graph)
{
    const emulation_lock lock;
    delete graph;
    return cudaSuccess;
}

cudaError_t
cudaGraphExecDestroy(cudaGraphExec_t exec)
{
    const emulation_lock lock;
    delete exec;
    return cudaSuccess;
}
