#include "retrieval/faiss_more.h"

#include <sys/mman.h>
#include <sys/stat.h>

#include <cstring>
#include <exception>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <vector>

#include <faiss/IndexIVF.h>
#include <faiss/IndexIVFPQ.h>
#include <faiss/impl/FaissAssert.h>
#include <faiss/impl/io.h>
#include <faiss/index_io.h>
#include <faiss/invlists/InvertedLists.h>
#include <faiss/invlists/InvertedListsIOHook.h>

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

/* FAISS's own lists on disk start threads to read ahead for every search, and cannot grow where they are read-only. */
class mapped_lists : public faiss::InvertedLists
{
  public:
    mapped_lists(size_t n_lists, size_t n_bytes, FILE *file, const std::vector<size_t> &n_mapped)
        : InvertedLists(n_lists, n_bytes), sizes(n_mapped), starts(n_lists), added(n_lists, n_bytes)
    {
        struct stat info;
        const off_t start = ftello(file);
        FAISS_THROW_IF_NOT_MSG(start >= 0 && fstat(fileno(file), &info) == 0, "not a file");
        n_file = static_cast<size_t>(info.st_size);
        size_t at = static_cast<size_t>(start);
        for (size_t i = 0; i < n_lists; i++) {
            const size_t each = n_bytes + sizeof(faiss::Index::idx_t);
            FAISS_THROW_IF_NOT_MSG(at <= n_file && sizes[i] <= (n_file - at) / each,
                                   "a list reaches over the end of the file");
            starts[i] = at;
            at += sizes[i] * each;
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
        return sizes[list] + added.list_size(list);
    }

    const uint8_t *
    get_codes(size_t list) const override
    {
        if (added.list_size(list) == 0) return mapped_codes(list);
        if (sizes[list] == 0) return added.get_codes(list);
        auto *both = new uint8_t[list_size(list) * code_size];
        memcpy(both, mapped_codes(list), sizes[list] * code_size);
        memcpy(both + sizes[list] * code_size, added.get_codes(list),
               added.list_size(list) * code_size);
        return both;
    }
    void
    release_codes(size_t list, const uint8_t *codes) const override
    {
        if (is_joined(list)) delete[] codes;
    }

    /* In the file they stand where the codes end: not aligned. */
    const faiss::Index::idx_t *
    get_ids(size_t list) const override
    {
        if (sizes[list] == 0) return added.get_ids(list);
        auto *both = new faiss::Index::idx_t[list_size(list)];
        memcpy(both, mapped_codes(list) + sizes[list] * code_size, sizes[list] * sizeof *both);
        if (added.list_size(list) > 0)
            memcpy(both + sizes[list], added.get_ids(list), added.list_size(list) * sizeof *both);
        return both;
    }
    void
    release_ids(size_t list, const faiss::Index::idx_t *ids) const override
    {
        if (sizes[list] > 0) delete[] ids;
    }
    faiss::Index::idx_t
    get_single_id(size_t list, size_t offset) const override
    {
        if (offset >= sizes[list]) return added.get_single_id(list, offset - sizes[list]);
        faiss::Index::idx_t id;
        memcpy(&id, mapped_codes(list) + sizes[list] * code_size + offset * sizeof id, sizeof id);
        return id;
    }
    const uint8_t *
    get_single_code(size_t list, size_t offset) const override
    {
        const uint8_t *code = offset < sizes[list]
                                  ? mapped_codes(list) + offset * code_size
                                  : added.get_codes(list) + (offset - sizes[list]) * code_size;
        if (!is_joined(list)) return code;
        auto *copy = new uint8_t[code_size]; /* release_codes will delete it */
        memcpy(copy, code, code_size);
        return copy;
    }

    size_t
    add_entries(size_t list, size_t n, const faiss::Index::idx_t *ids,
                const uint8_t *codes) override
    {
        return sizes[list] + added.add_entries(list, n, ids, codes);
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
    bool
    is_joined(size_t list) const
    {
        return sizes[list] > 0 && added.list_size(list) > 0;
    }
    const uint8_t *
    mapped_codes(size_t list) const
    {
        return base + starts[list];
    }

    const uint8_t *base = nullptr; /* of the file, owned */
    size_t n_file = 0;
    std::vector<size_t> sizes, starts; /* of what is mapped: entries, bytes from base */
    faiss::ArrayInvertedLists added;
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

/* Reads FAISS's "ilar" lists, and writes them. */
struct mapped_lists_hook : faiss::InvertedListsIOHook {
    static const int flags = faiss::IO_FLAG_SKIP_IVF_DATA | 'l' << 16 | 'm' << 24;

    mapped_lists_hook() : InvertedListsIOHook("illm", typeid(mapped_lists).name())
    {
    }

    void
    write(const faiss::InvertedLists *lists, faiss::IOWriter *writer) const override
    {
        std::vector<size_t> sizes(lists->nlist);
        const size_t n_lists = lists->nlist;
        const uint32_t form = fourcc("ilar"), order = fourcc("full");
        for (size_t i = 0; i < n_lists; i++)
            sizes[i] = lists->list_size(i);
        put(writer, &form, 1);
        put(writer, &lists->nlist, 1);
        put(writer, &lists->code_size, 1);
        put(writer, &order, 1);
        put(writer, &n_lists, 1);
        put(writer, sizes.data(), n_lists);
        for (size_t i = 0; i < n_lists; i++) {
            if (sizes[i] == 0) continue;
            put(writer, faiss::InvertedLists::ScopedCodes(lists, i).get(),
                sizes[i] * lists->code_size);
            put(writer, faiss::InvertedLists::ScopedIds(lists, i).get(), sizes[i]);
        }
    }
    faiss::InvertedLists *
    read(faiss::IOReader *, int) const override
    {
        FAISS_THROW_MSG("these lists are written as FAISS's own");
    }
    faiss::InvertedLists *
    read_ArrayInvertedLists(faiss::IOReader *reader, int, size_t n_lists, size_t n_bytes,
                            const std::vector<size_t> &sizes) const override
    {
        auto *file = dynamic_cast<faiss::FileIOReader *>(reader);
        FAISS_THROW_IF_NOT_MSG(file && sizes.size() == n_lists, "not a file of lists");
        return new mapped_lists(n_lists, n_bytes, file->f, sizes);
    }
};

} // namespace

extern "C" int
retrieval_faiss_map_sparse(FaissIndexIVF *index)
{
    return guarded([=] { cpp(index)->set_direct_map_type(faiss::DirectMap::Hashtable); });
}

extern "C" void
retrieval_faiss_train_faster(FaissIndex *index)
{
    auto *lists = dynamic_cast<faiss::IndexIVFPQ *>(reinterpret_cast<faiss::Index *>(index));
    if (!lists) return;
    lists->pq.cp.niter = 10;
    lists->pq.cp.max_points_per_centroid = 64;
}

extern "C" int
retrieval_faiss_read_mapped(FILE *file, FaissIndex **index)
{
    static std::once_flag once;
    return guarded([=] {
        std::call_once(once, [] {
            faiss::InvertedListsIOHook::add_callback(new mapped_lists_hook); /* theirs now */
        });
        *index = reinterpret_cast<FaissIndex *>(faiss::read_index(file, mapped_lists_hook::flags));
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
        size_t left = rows.size();
        for (size_t list = 0; left > 0 && list < inverted->nlist; list++) {
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
