#include "retrieval/faiss_more.h"

#include <sys/mman.h>
#include <sys/stat.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <unordered_map>
#include <vector>

#include <faiss/IndexFlat.h>
#include <faiss/IndexIVF.h>
#include <faiss/IndexIVFPQ.h>
#include <faiss/IndexScalarQuantizer.h>
#include <faiss/impl/FaissAssert.h>
#include <faiss/impl/io.h>
#include <faiss/index_io.h>
#include <faiss/invlists/InvertedLists.h>
#include <faiss/invlists/InvertedListsIOHook.h>
#include <faiss/utils/distances.h>

namespace
{

faiss::IndexIVF *
cpp(FaissIndexIVF *index)
{
    return reinterpret_cast<faiss::IndexIVF *>(reinterpret_cast<faiss::Index *>(index));
}

const faiss::IndexIVF *
cpp(const FaissIndexIVF *index)
{
    return reinterpret_cast<const faiss::IndexIVF *>(reinterpret_cast<const faiss::Index *>(index));
}

template <typename Call>
int
guarded(Call call) noexcept
{
    try {
        call();
        return 0;
    } catch (...) {
        return -1;
    }
}

/* ---- lists in a file and behind them lists in memory ---- */

/* Labels of a list as they stand in the file: how far each is from the one before, zigzag coded, for they rise but where
 * something was removed, and Rice coded (as in words.h), its parameter before them in a byte. */
constexpr unsigned MAX_RICE = 40, RICE_ESCAPE = 48;

std::vector<uint8_t>
pack_labels(const faiss::Index::idx_t *labels, size_t n)
{
    std::vector<uint64_t> steps(n);
    double sum = 0;
    for (size_t i = 0; i < n; i++) {
        const int64_t step = labels[i] - (i > 0 ? labels[i - 1] : 0);
        steps[i] = static_cast<uint64_t>(step) << 1 ^ (step < 0 ? ~UINT64_C(0) : 0);
        sum += static_cast<double>(steps[i]);
    }
    unsigned rice = 0;
    while (rice < MAX_RICE &&
           static_cast<double>(UINT64_C(2) << rice) <= 0.6931 * sum / static_cast<double>(n))
        rice++;
    std::vector<uint8_t> bytes(1, static_cast<uint8_t>(rice));
    unsigned n_bits = 0; /* of the last byte */
    const auto put = [&](uint64_t value, unsigned bits) {
        for (unsigned b = 0; b < bits; b++, n_bits = (n_bits + 1) % 8) {
            if (n_bits == 0) bytes.push_back(0);
            bytes.back() |= static_cast<uint8_t>((value >> b & 1) << n_bits);
        }
    };
    for (const uint64_t step : steps) {
        const uint64_t ones = step >> rice;
        if (ones < RICE_ESCAPE) {
            put((UINT64_C(1) << ones) - 1, static_cast<unsigned>(ones) + 1);
            put(step, rice);
        } else {
            put((UINT64_C(1) << RICE_ESCAPE) - 1, RICE_ESCAPE);
            put(step, 64);
        }
    }
    return bytes;
}

/* 56 bits of bytes [n_bytes] from the bit at; zeros behind their end. */
uint64_t
load_bits(const uint8_t *bytes, size_t n_bytes, uint64_t at)
{
    uint64_t window = 0;
    const size_t from = at / 8;
    if (from + sizeof window <= n_bytes)
        memcpy(&window, bytes + from,
               sizeof window); /* little endian, as all machines FAISS runs on */
    else
        for (size_t i = from; i < n_bytes; i++)
            window |= static_cast<uint64_t>(bytes[i]) << 8 * (i - from);
    return window >> at % 8 & ((UINT64_C(1) << 56) - 1);
}

/* FALSE where bytes [n_bytes] are not just n labels. */
bool
unpack_labels(const uint8_t *bytes, size_t n_bytes, faiss::Index::idx_t *labels, size_t n)
{
    if (n_bytes == 0 || bytes[0] > MAX_RICE) return false;
    const unsigned rice = bytes[0];
    const uint64_t end = uint64_t{n_bytes} * 8;
    uint64_t at = 8, before = 0;
    for (size_t i = 0; i < n; i++) {
        const auto ones =
            static_cast<unsigned>(__builtin_ctzll(~load_bits(bytes, n_bytes, at) | 1ULL << 56));
        uint64_t step;
        if (ones < RICE_ESCAPE) {
            at += ones + 1;
            step = uint64_t{ones} << rice |
                   (load_bits(bytes, n_bytes, at) & ((UINT64_C(1) << rice) - 1));
            at += rice;
        } else {
            at += RICE_ESCAPE;
            step = (load_bits(bytes, n_bytes, at) & 0xffffffffu) |
                   (load_bits(bytes, n_bytes, at + 32) & 0xffffffffu) << 32;
            at += 64;
        }
        if (at > end) return false;
        before += step >> 1 ^ (~(step & 1) + 1);
        labels[i] = static_cast<faiss::Index::idx_t>(before);
    }
    return (at + 7) / 8 == n_bytes;
}

/* Where a list stands in a file: its codes, then n_label_bytes of labels, packed or, in older files, eight bytes each.
 */
struct mapped_list {
    size_t n, start, n_label_bytes;
};

/* FAISS's own lists on disk start threads to read ahead for every search, and cannot grow where they are read-only. */
class mapped_lists : public faiss::InvertedLists
{
  public:
    /* Lists of n entries each that begin where the file is read; n_label_bytes empty: labels are not packed. */
    mapped_lists(size_t n_lists, size_t n_bytes, FILE *file, const std::vector<size_t> &n_mapped,
                 const std::vector<uint32_t> &n_label_bytes)
        : InvertedLists(n_lists, n_bytes), is_packed(!n_label_bytes.empty()), lists(n_lists),
          added(n_lists, n_bytes)
    {
        struct stat info;
        const off_t start = ftello(file);
        FAISS_THROW_IF_NOT_MSG(start >= 0 && fstat(fileno(file), &info) == 0, "not a file");
        n_file = static_cast<size_t>(info.st_size);
        size_t at = static_cast<size_t>(start);
        for (size_t i = 0; i < n_lists; i++) {
            const size_t n = n_mapped[i], size = sizeof(faiss::Index::idx_t);
            const size_t least = n_bytes + (is_packed ? 0 : size);
            FAISS_THROW_IF_NOT_MSG(at <= n_file && n <= (n_file - at) / least,
                                   "a list reaches over the end of the file");
            lists[i] = {n, at, is_packed ? n_label_bytes[i] : n * size};
            at += n * n_bytes;
            FAISS_THROW_IF_NOT_MSG(lists[i].n_label_bytes <= n_file - at,
                                   "a list reaches over the end of the file");
            at += lists[i].n_label_bytes;
        }
        FAISS_THROW_IF_NOT_MSG(fseeko(file, static_cast<off_t>(at), SEEK_SET) == 0, "cannot seek");
        void *bytes = mmap(nullptr, n_file, PROT_READ, MAP_SHARED, fileno(file), 0);
        FAISS_THROW_IF_NOT_MSG(bytes != MAP_FAILED, "cannot map the file");
        base = static_cast<const uint8_t *>(bytes);
    }
    mapped_lists(const mapped_lists &) = delete;
    mapped_lists &operator=(const mapped_lists &) = delete;
    ~mapped_lists() override
    {
        munmap(const_cast<uint8_t *>(base), n_file);
    }

    size_t
    list_size(size_t list) const override
    {
        return lists[list].n + added.list_size(list);
    }

    const uint8_t *
    get_codes(size_t list) const override
    {
        if (added.list_size(list) == 0) return mapped_codes(list);
        if (lists[list].n == 0) return added.get_codes(list);
        auto *both = new uint8_t[list_size(list) * code_size];
        memcpy(both, mapped_codes(list), lists[list].n * code_size);
        memcpy(both + lists[list].n * code_size, added.get_codes(list),
               added.list_size(list) * code_size);
        return both;
    }
    void
    release_codes(size_t list, const uint8_t *codes) const override
    {
        if (!is_lent(list, codes)) delete[] codes;
    }

    /* In the file they stand where the codes end: not aligned. */
    const faiss::Index::idx_t *
    get_ids(size_t list) const override
    {
        const mapped_list &l = lists[list];
        if (l.n == 0) return added.get_ids(list);
        auto both = std::make_unique<faiss::Index::idx_t[]>(list_size(list));
        const uint8_t *labels = mapped_codes(list) + l.n * code_size;
        if (!is_packed)
            memcpy(both.get(), labels, l.n_label_bytes);
        else if (!unpack_labels(labels, l.n_label_bytes, both.get(), l.n))
            FAISS_THROW_MSG("the labels of a list cannot be read");
        if (added.list_size(list) > 0)
            memcpy(both.get() + l.n, added.get_ids(list), added.list_size(list) * sizeof both[0]);
        return both.release();
    }
    void
    release_ids(size_t list, const faiss::Index::idx_t *ids) const override
    {
        if (lists[list].n > 0) delete[] ids;
    }
    faiss::Index::idx_t
    get_single_id(size_t list, size_t offset) const override
    {
        return ScopedIds(this, list)[offset];
    }
    const uint8_t *
    get_single_code(size_t list, size_t offset) const override
    {
        /* no copy: FAISS's reconstruct_from_offset does not release it */
        return offset < lists[list].n
                   ? mapped_codes(list) + offset * code_size
                   : added.get_codes(list) + (offset - lists[list].n) * code_size;
    }

    /* In which list of the file each label stands, NONE where in none. Made when it is first asked for, four bytes a
     * label: to read all labels for a few takes as long as the search. */
    static constexpr uint32_t NONE = UINT32_MAX;
    const std::vector<uint32_t> &
    lists_of_labels() const
    {
        std::call_once(owners_made, [this] {
            for (size_t list = 0; list < nlist; list++) {
                if (lists[list].n == 0) continue;
                const ScopedIds labels(this, list);
                for (size_t i = 0; i < lists[list].n; i++) {
                    FAISS_THROW_IF_NOT_MSG(labels[i] >= 0 && labels[i] < INT32_MAX,
                                           "a label is out of range");
                    const auto label = static_cast<size_t>(labels[i]);
                    if (label >= owners.size()) owners.resize(label + 1, uint32_t{NONE});
                    owners[label] = static_cast<uint32_t>(list);
                }
            }
        });
        return owners;
    }

    size_t
    add_entries(size_t list, size_t n, const faiss::Index::idx_t *ids,
                const uint8_t *codes) override
    {
        return lists[list].n + added.add_entries(list, n, ids, codes);
    }
    void
    update_entries(size_t, size_t, size_t, const faiss::Index::idx_t *, const uint8_t *) override
    {
        FAISS_THROW_MSG("lists in a file cannot change");
    }
    void
    resize(size_t, size_t) override
    {
        FAISS_THROW_MSG("lists in a file cannot change");
    }

  private:
    static bool
    is_within(const uint8_t *p, const uint8_t *start, size_t n)
    {
        const std::less<const uint8_t *> before;
        return !before(p, start) && before(p, start + n);
    }
    /* Do codes stand in the file or behind it, and not in a copy of both? */
    bool
    is_lent(size_t list, const uint8_t *codes) const
    {
        return lists[list].n == 0 || added.list_size(list) == 0 || is_within(codes, base, n_file) ||
               is_within(codes, added.get_codes(list), added.list_size(list) * code_size);
    }
    const uint8_t *
    mapped_codes(size_t list) const
    {
        return base + lists[list].start;
    }

    const uint8_t *base = nullptr; /* of the file, owned */
    size_t n_file = 0;
    bool is_packed;
    std::vector<mapped_list> lists;
    faiss::ArrayInvertedLists added;
    mutable std::once_flag owners_made;
    mutable std::vector<uint32_t> owners;
};

uint32_t
fourcc(const char *name)
{
    uint32_t code;
    memcpy(&code, name, sizeof code); /* as FAISS writes it on this machine */
    return code;
}

template <typename T>
void
put(faiss::IOWriter *writer, const T *values, size_t n)
{
    FAISS_THROW_IF_NOT_MSG((*writer)(values, sizeof *values, n) == n, "cannot write");
}

template <typename T>
void
get(faiss::IOReader *reader, T *values, size_t n)
{
    FAISS_THROW_IF_NOT_MSG((*reader)(values, sizeof *values, n) == n, "cannot read");
}

/* Any lists, to be written with their labels packed. Borrows them. */
class packed_lists : public faiss::ReadOnlyInvertedLists
{
  public:
    explicit packed_lists(const faiss::InvertedLists *lists)
        : ReadOnlyInvertedLists(lists->nlist, lists->code_size), of(lists)
    {
    }
    size_t
    list_size(size_t list) const override
    {
        return of->list_size(list);
    }
    const uint8_t *
    get_codes(size_t list) const override
    {
        return of->get_codes(list);
    }
    void
    release_codes(size_t list, const uint8_t *codes) const override
    {
        of->release_codes(list, codes);
    }
    const faiss::Index::idx_t *
    get_ids(size_t list) const override
    {
        return of->get_ids(list);
    }
    void
    release_ids(size_t list, const faiss::Index::idx_t *ids) const override
    {
        of->release_ids(list, ids);
    }

  private:
    const faiss::InvertedLists *of;
};

constexpr size_t MAX_LISTS = 1 << 20;

FILE *
file_of(faiss::IOReader *reader)
{
    auto *file = dynamic_cast<faiss::FileIOReader *>(reader);
    FAISS_THROW_IF_NOT_MSG(file, "not a file");
    return file->f;
}

/* Writes packed lists and reads them as mapped ones:
 *
 *     "lopl", lists, bytes of a code (uint64 each), entries of each list (uint64), bytes of its labels (uint32), then
 *     list by list codes and labels */
struct mapped_lists_hook : faiss::InvertedListsIOHook {
    mapped_lists_hook() : InvertedListsIOHook("lopl", typeid(packed_lists).name())
    {
    }

    void
    write(const faiss::InvertedLists *lists, faiss::IOWriter *writer) const override
    {
        const size_t n_lists = lists->nlist;
        const uint32_t form = fourcc("lopl");
        std::vector<size_t> sizes(n_lists);
        std::vector<uint32_t> label_bytes(n_lists);
        for (size_t i = 0; i < n_lists; i++) {
            sizes[i] = lists->list_size(i);
            if (sizes[i] == 0) continue;
            faiss::InvertedLists::ScopedIds labels(lists, i);
            const size_t n = pack_labels(labels.get(), sizes[i]).size();
            FAISS_THROW_IF_NOT_MSG(n <= UINT32_MAX, "a list is too long");
            label_bytes[i] = static_cast<uint32_t>(n);
        }
        put(writer, &form, 1);
        put(writer, &lists->nlist, 1);
        put(writer, &lists->code_size, 1);
        put(writer, sizes.data(), n_lists);
        put(writer, label_bytes.data(), n_lists);
        for (size_t i = 0; i < n_lists; i++) {
            if (sizes[i] == 0) continue;
            faiss::InvertedLists::ScopedIds labels(lists, i);
            const std::vector<uint8_t> packed = pack_labels(labels.get(), sizes[i]);
            put(writer, faiss::InvertedLists::ScopedCodes(lists, i).get(),
                sizes[i] * lists->code_size);
            put(writer, packed.data(), packed.size());
        }
    }
    faiss::InvertedLists *
    read(faiss::IOReader *reader, int) const override
    {
        size_t n_lists = 0, n_bytes = 0;
        get(reader, &n_lists, 1);
        get(reader, &n_bytes, 1);
        FAISS_THROW_IF_NOT_MSG(n_lists <= MAX_LISTS && n_bytes > 0 && n_bytes <= MAX_LISTS,
                               "not a file of lists");
        std::vector<size_t> sizes(n_lists);
        std::vector<uint32_t> label_bytes(n_lists);
        get(reader, sizes.data(), n_lists);
        get(reader, label_bytes.data(), n_lists);
        return new mapped_lists(n_lists, n_bytes, file_of(reader), sizes, label_bytes);
    }
};

/* Reads FAISS's own "ilar" lists as mapped ones, which older files have. FAISS asks for "il" and two letters of the flags. */
struct plain_lists_hook : faiss::InvertedListsIOHook {
    static const int flags = faiss::IO_FLAG_SKIP_IVF_DATA | 'l' << 16 | 'o' << 24;

    plain_lists_hook() : InvertedListsIOHook("illo", typeid(mapped_lists).name())
    {
    }
    void
    write(const faiss::InvertedLists *, faiss::IOWriter *) const override
    {
        FAISS_THROW_MSG("lists are written packed");
    }
    faiss::InvertedLists *
    read(faiss::IOReader *, int) const override
    {
        FAISS_THROW_MSG("not a file of lists");
    }
    faiss::InvertedLists *
    read_ArrayInvertedLists(faiss::IOReader *reader, int, size_t n_lists, size_t n_bytes,
                            const std::vector<size_t> &sizes) const override
    {
        FAISS_THROW_IF_NOT_MSG(sizes.size() == n_lists && n_bytes > 0, "not a file of lists");
        return new mapped_lists(n_lists, n_bytes, file_of(reader), sizes, {});
    }
};

void
add_hook()
{
    static std::once_flag once;
    std::call_once(once, [] {
        faiss::InvertedListsIOHook::add_callback(new mapped_lists_hook); /* theirs now */
        faiss::InvertedListsIOHook::add_callback(new plain_lists_hook);
    });
}

/* What a file of the kind holds, besides its lists. */
void
copy_codec(const faiss::IndexIVFPQ &from, faiss::IndexIVFPQ *to)
{
    to->pq = from.pq;
    to->by_residual = from.by_residual;
}

void
copy_codec(const faiss::IndexIVFScalarQuantizer &from, faiss::IndexIVFScalarQuantizer *to)
{
    to->sq = from.sq;
    to->by_residual = from.by_residual;
}

/* Writes an index of this kind with other lists in the place of its own. A copy is written, of what a file holds, which
 * borrows all it points to: others may be searching the index. (FAISS's own copies move tables that are not written.) */
template <class Kind>
bool
write_with_lists(const faiss::IndexIVF *index, faiss::InvertedLists *lists, FILE *file)
{
    const auto *whole = dynamic_cast<const Kind *>(index);
    if (!whole) return false;
    Kind copy;
    copy.d = index->d;
    copy.ntotal = index->ntotal;
    copy.is_trained = index->is_trained;
    copy.metric_type = index->metric_type;
    copy.metric_arg = index->metric_arg;
    copy.nlist = index->nlist;
    copy.nprobe = index->nprobe;
    copy.quantizer = index->quantizer;
    copy.own_fields = false;
    copy.direct_map = index->direct_map;
    copy.code_size = index->code_size;
    copy.invlists = lists;
    copy.own_invlists = false;
    copy_codec(*whole, &copy);
    faiss::write_index(&copy, file);
    return true;
}

} // namespace

extern "C" int
retrieval_faiss_map_sparse(FaissIndexIVF *index)
{
    return guarded([=] { cpp(index)->set_direct_map_type(faiss::DirectMap::Hashtable); });
}

/* By the mean cosine of values [n] with their lists' centroids: the length that leaves the least. */
static void
shorten_centroids(faiss::IndexFlat *centroids, size_t n, const float *values)
{
    std::vector<float> cosines(n);
    std::vector<faiss::Index::idx_t> nearest(n);
    centroids->search(static_cast<faiss::Index::idx_t>(n), values, 1, cosines.data(),
                      nearest.data());
    double sum = 0;
    for (const float cosine : cosines)
        sum += static_cast<double>(cosine);
    const double length = sum / static_cast<double>(n);
    if (!(length > 0.0 && length < 1.0)) return;
    float *all = centroids->get_xb();
    const size_t n_all = static_cast<size_t>(centroids->ntotal) * static_cast<size_t>(centroids->d);
    for (size_t i = 0; i < n_all; i++)
        all[i] *= static_cast<float>(length);
}

extern "C" int
retrieval_faiss_train(FaissIndex *index, size_t n, const float *values)
{
    return guarded([=] {
        auto *plain = reinterpret_cast<faiss::Index *>(index);
        auto *lists = dynamic_cast<faiss::IndexIVFPQ *>(plain);
        const auto n_values = static_cast<faiss::Index::idx_t>(n);
        if (lists) {
            lists->pq.cp.niter = 10;
            lists->pq.cp.max_points_per_centroid = 64;
            lists->train_q1(n, values, false, lists->metric_type);
            auto *centroids = dynamic_cast<faiss::IndexFlat *>(lists->quantizer);
            if (centroids && n > 0) shorten_centroids(centroids, n, values);
        }
        plain->train(n_values, values); /* what is trained already stays */
    });
}

/* Of lists in the order of their nearness, as many as hold n_codes vectors. */
static size_t
lists_that_hold(const faiss::IndexIVF *index, const std::vector<idx_t> &lists, size_t n_codes)
{
    size_t n = 0, sum = 0;
    while (n < lists.size() && lists[n] >= 0 && sum < n_codes)
        sum += index->get_list_size(static_cast<size_t>(lists[n++]));
    return n;
}

/* Where the codes stand of the n that FAISS finds the nearest among n_codes, list by list. */
static std::vector<idx_t>
nearest_places(const faiss::IndexIVF *index, const float *query, size_t n, size_t n_codes)
{
    constexpr size_t MOST_LISTS = 1024;
    std::vector<idx_t> lists(std::min(index->nlist, MOST_LISTS)), places(n);
    std::vector<float> coarse(lists.size()), rough(n);
    faiss::IVFSearchParameters effort;
    index->quantizer->search(1, query, static_cast<idx_t>(lists.size()), coarse.data(),
                             lists.data());
    effort.nprobe = lists_that_hold(index, lists, n_codes);
    if (effort.nprobe == 0) return {};
    index->search_preassigned(1, query, static_cast<idx_t>(n), lists.data(), coarse.data(),
                              rough.data(), places.data(), true, &effort);
    places.erase(std::remove(places.begin(), places.end(), -1), places.end());
    std::sort(places.begin(), places.end());
    return places;
}

struct decoded {
    float score;
    idx_t label;
};

static std::vector<decoded>
decode_places(const faiss::IndexIVF *index, const float *query, const std::vector<idx_t> &places)
{
    const auto d = static_cast<size_t>(index->d);
    std::vector<decoded> found;
    std::vector<float> values(d);
    std::unique_ptr<faiss::InvertedLists::ScopedIds> labels; /* of a list, read once */
    uint64_t list = UINT64_MAX;
    for (const idx_t place : places) {
        const uint64_t of = faiss::lo_listno(static_cast<uint64_t>(place));
        const uint64_t at = faiss::lo_offset(static_cast<uint64_t>(place));
        if (of != list)
            labels = std::make_unique<faiss::InvertedLists::ScopedIds>(index->invlists, of);
        list = of;
        index->reconstruct_from_offset(static_cast<idx_t>(of), static_cast<idx_t>(at),
                                       values.data());
        const float length = std::sqrt(faiss::fvec_norm_L2sqr(values.data(), d));
        const float product = faiss::fvec_inner_product(query, values.data(), d);
        found.push_back({length > 0 ? product / length : 0, (*labels)[at]});
    }
    return found;
}

extern "C" int
retrieval_faiss_search_unit(const FaissIndexIVF *index, const float *query, size_t k,
                            size_t n_codes, float *scores, int64_t *labels)
{
    return guarded([=] {
        const faiss::IndexIVF *inverted = cpp(index);
        const size_t n = std::min(2 * k, static_cast<size_t>(inverted->ntotal));
        std::vector<decoded> found =
            decode_places(inverted, query, nearest_places(inverted, query, n, n_codes));
        std::sort(found.begin(), found.end(), [](const decoded &a, const decoded &b) {
            return a.score > b.score || (a.score == b.score && a.label < b.label);
        });
        for (size_t i = 0; i < k; i++) {
            scores[i] = i < found.size() ? found[i].score : 0;
            labels[i] = i < found.size() ? found[i].label : -1;
        }
    });
}

extern "C" int
retrieval_faiss_read_mapped(FILE *file, FaissIndex **index)
{
    return guarded([=] {
        add_hook();
        *index = reinterpret_cast<FaissIndex *>(faiss::read_index(file, plain_lists_hook::flags));
    });
}

extern "C" int
retrieval_faiss_write_packed(const FaissIndex *index, FILE *file)
{
    return guarded([=] {
        const auto *plain = reinterpret_cast<const faiss::Index *>(index);
        const auto *inverted = dynamic_cast<const faiss::IndexIVF *>(plain);
        if (!inverted) {
            faiss::write_index(plain, file);
            return;
        }
        add_hook();
        packed_lists lists(inverted->invlists);
        if (!write_with_lists<faiss::IndexIVFPQ>(inverted, &lists, file) &&
            !write_with_lists<faiss::IndexIVFScalarQuantizer>(inverted, &lists, file))
            throw std::logic_error("lists of a kind that is not written");
    });
}

extern "C" int
retrieval_faiss_unmap(FaissIndexIVF *index)
{
    return guarded([=] {
        faiss::IndexIVF *inverted = cpp(index);
        const auto *from = dynamic_cast<const mapped_lists *>(inverted->invlists);
        if (!from) return;
        auto lists = std::make_unique<faiss::ArrayInvertedLists>(from->nlist, from->code_size);
        for (size_t i = 0; i < from->nlist; i++) {
            if (from->list_size(i) == 0) continue;
            lists->add_entries(i, from->list_size(i),
                               faiss::InvertedLists::ScopedIds(from, i).get(),
                               faiss::InvertedLists::ScopedCodes(from, i).get());
        }
        inverted->replace_invlists(lists.release(), true);
    });
}

extern "C" int
retrieval_faiss_find(const FaissIndexIVF *index, const int64_t *labels, size_t n, float *values,
                     unsigned char *known)
{
    return guarded([=] {
        const faiss::IndexIVF *inverted = cpp(index);
        int64_t last = -1;
        for (size_t i = 0; i < n; i++)
            last = labels[i] > last ? labels[i] : last;
        std::unordered_map<int64_t, std::vector<size_t>> rows;
        std::vector<bool> wanted(static_cast<size_t>(last + 1)); /* most labels are not: quick */
        for (size_t i = 0; i < n; i++) {
            if (labels[i] < 0) continue;
            wanted[static_cast<size_t>(labels[i])] = true;
            rows[labels[i]].push_back(i);
        }
        /* the lists that may have them: all, unless every label is known to stand in one of the file's */
        const auto *mapped = dynamic_cast<const mapped_lists *>(inverted->invlists);
        std::vector<bool> has(inverted->nlist, !mapped);
        for (auto row = rows.begin(); mapped && row != rows.end(); ++row) {
            const std::vector<uint32_t> &owners = mapped->lists_of_labels();
            const auto label = static_cast<size_t>(row->first);
            if (label < owners.size() && owners[label] != mapped_lists::NONE) {
                has[owners[label]] = true;
                continue;
            }
            has.assign(inverted->nlist, true);
            break;
        }
        size_t left = rows.size();
        for (size_t list = 0; left > 0 && list < inverted->nlist; list++) {
            if (!has[list]) continue;
            const size_t size = inverted->invlists->list_size(list);
            const faiss::InvertedLists::ScopedIds ids(inverted->invlists, list);
            for (size_t i = 0; i < size; i++) {
                if (ids[i] < 0 || ids[i] > last || !wanted[static_cast<size_t>(ids[i])]) continue;
                for (const size_t row : rows[ids[i]]) {
                    inverted->reconstruct_from_offset(
                        static_cast<int64_t>(list), static_cast<int64_t>(i),
                        values + row * static_cast<size_t>(inverted->d));
                    known[row] = 1;
                }
                left--;
            }
        }
    });
}
