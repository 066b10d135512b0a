#!/usr/bin/env python3
"""Planned search against a single query, over a small fixed web (MuSiQue, HotpotQA, 2Wiki in BEIR's layout).

    multihop.py LODE DATASET [OPTION ...] > run.trec

Serves DATASET/corpus.jsonl as a search engine on this machine: /search answers as SearXNG's JSON API, by BM25 over
title and text, and each passage is a page of its own, on one of 200 loopback addresses, as pages of the web are on
many hosts (Linux answers on all of 127.0.0.0/8). Then runs `lode search` for each question of queries.jsonl, with
the further OPTIONs (--planner rules, --rounds 1, ...), and prints the pages it ranked as a TREC run, which a scorer
such as ir_measures reads. With DATASET/questions.jsonl the answers are measured too, with a 95 % interval (bootstrap): contains, an accepted
answer stands in what was quoted or written; short, in the short answer; f1, SQuAD's, of the short answer. Environment:
SAMPLE=N takes every question whose place in the file is a multiple of N, JOBS=N runs N at once (default 2), ANSWERS=FILE
keeps each answer with its plan as a line of JSON. Figures go to stderr. Python standard library only.
"""
import collections
import concurrent.futures
import html
import http.server
import json
import math
import os
import random
import re
import string
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse
import zlib

SNIPPET = 300


def words(text):
    out = []
    for word in re.findall(r"[^\W_]+", text.lower()):
        for ending in ("ies", "es", "s", "ing", "ed"):
            if word.endswith(ending) and len(word) - len(ending) >= 3:
                word = word[: -len(ending)]
                break
        out.append(word)
    return out


class Index:
    """BM25 with k1 = 1.2, b = 0.75."""

    def __init__(self, path):
        self.docs, self.lengths = [], []
        self.postings = collections.defaultdict(list)
        with open(path, encoding="utf-8") as lines:
            for line in lines:
                doc = json.loads(line)
                counts = collections.Counter(words(doc["title"] + " " + doc["text"]))
                for word, n in counts.items():
                    self.postings[word].append((len(self.docs), n))
                self.docs.append(doc)
                self.lengths.append(sum(counts.values()))
        self.mean = sum(self.lengths) / len(self.lengths)

    def search(self, query, limit):
        scores = collections.Counter()
        total = len(self.docs)
        for word in dict.fromkeys(words(query)):
            posting = self.postings.get(word, [])
            idf = math.log(1 + (total - len(posting) + 0.5) / (len(posting) + 0.5))
            for i, n in posting:
                norm = n + 1.2 * (0.25 + 0.75 * self.lengths[i] / self.mean)
                scores[i] += idf * n * 2.2 / norm
        best = sorted(scores.items(), key=lambda item: (-item[1], item[0]))
        return [self.docs[i] for i, _ in best[:limit]]


def make_handler(index, served):
    pages = {doc["_id"]: doc for doc in index.docs}

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_):
            pass

        def answer(self, status, kind, text):
            body = text.encode()
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_GET(self):
            url = urllib.parse.urlsplit(self.path)
            port = self.server.server_address[1]
            if url.path == "/search":
                served["queries"] += 1
                query = urllib.parse.parse_qs(url.query).get("q", [""])[0]
                hits = [{"url": f"http://127.0.1.{zlib.crc32(doc['_id'].encode()) % 200 + 1}:{port}/page/{doc['_id']}", "title": doc["title"],
                         "content": doc["text"][:SNIPPET], "engine": "bm25", "engines": ["bm25"],
                         "score": 1.0 / (i + 1), "category": "general"}
                        for i, doc in enumerate(index.search(query, 10))]
                self.answer(200, "application/json", json.dumps(
                    {"query": query, "number_of_results": 0, "results": hits, "answers": [],
                     "suggestions": [], "unresponsive_engines": []}))
            elif url.path.startswith("/page/") and url.path[6:] in pages:
                served["pages"] += 1
                doc = pages[url.path[6:]]
                title, text = html.escape(doc["title"]), html.escape(doc["text"])
                self.answer(200, "text/html; charset=utf-8",
                            f"<!DOCTYPE html><html><head><title>{title}</title></head><body>"
                            f"<article><h1>{title}</h1><p>{text}</p></article></body></html>")
            else:
                self.answer(404, "text/plain", "not here\n")

    return Handler


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256


def ask(lode, base, question, options, folder):
    command = [lode, "search", "--json", "-q", "--provider", f"searxng={base}", "--allow-private",
               "--cache", folder, *options, question]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode not in (0, 4):
        raise RuntimeError(f"{question}: {done.stderr.strip()}")
    answer = json.loads(done.stdout)
    if not answer["ranking"]:
        print(f"nothing for: {question}: {answer['problems'][:2]}", file=sys.stderr)
    return [url.rsplit("/", 1)[1] for url in answer["ranking"]], answer


# ---- answers ----


def normal(text):
    text = "".join(" " if c in "-\u2013\u2014/" else c for c in text.lower())
    text = "".join(c for c in text if c not in string.punctuation)
    return re.sub(r"\b(a|an|the)\b", " ", text).split()


def holds(text, gold):
    """gold's tokens stand in text in a row"""
    return f" {' '.join(normal(gold))} " in f" {' '.join(normal(text))} "


def token_f1(text, gold):
    a, b = normal(text), normal(gold)
    same = sum((collections.Counter(a) & collections.Counter(b)).values())
    return 2 * same / (len(a) + len(b)) if same else 0.0


def measure(answer, golds):
    """Of one answer; one that was refused counts 0."""
    if answer["status"] == "insufficient_evidence":
        return {"refused": 1.0, "contains": 0.0, "short": 0.0, "f1": 0.0}
    said = " ".join([answer["answer"], *(c["quote"] for c in answer["citations"])])
    short = answer["short"] or ""
    return {"refused": 0.0, "contains": float(any(holds(said, g) for g in golds)),
            "short": float(any(holds(short, g) for g in golds)),
            "f1": max(token_f1(short, g) for g in golds)}


def interval(values):
    chance = random.Random(1)
    means = sorted(sum(chance.choices(values, k=len(values))) / len(values) for _ in range(1000))
    return means[25], means[974]


def report(rows):
    for name in rows[0]:
        values = [row[name] for row in rows]
        low, high = interval(values)
        print(f"{name:9} {sum(values) / len(values):.4f}  {low:.4f} to {high:.4f}  n {len(values)}",
              file=sys.stderr)


def main():
    if len(sys.argv) < 3:
        print(__doc__, file=sys.stderr)
        return 2
    lode, dataset, options = sys.argv[1], sys.argv[2], sys.argv[3:]
    served = collections.Counter()
    server = Server(("", 0), make_handler(Index(os.path.join(dataset, "corpus.jsonl")), served))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    base = f"http://127.0.0.1:{server.server_address[1]}"
    with open(os.path.join(dataset, "queries.jsonl"), encoding="utf-8") as lines:
        questions = [json.loads(line) for line in lines]
    questions = questions[:: int(os.environ.get("SAMPLE", "1"))]
    golds = {}
    if os.path.exists(os.path.join(dataset, "questions.jsonl")):
        with open(os.path.join(dataset, "questions.jsonl"), encoding="utf-8") as lines:
            golds = {q["_id"]: q["answers"] for q in map(json.loads, lines)}
    kept = open(os.environ["ANSWERS"], "w", encoding="utf-8") if "ANSWERS" in os.environ else None
    start = time.monotonic()
    nodes, rows = 0, []
    with tempfile.TemporaryDirectory() as folder, \
            concurrent.futures.ThreadPoolExecutor(int(os.environ.get("JOBS", "2"))) as pool:
        jobs = [pool.submit(ask, lode, base, q["text"], options, folder) for q in questions]
        for question, job in zip(questions, jobs):
            ranking, answer = job.result()
            nodes += len(answer["plan"]["nodes"])
            if golds.get(question["_id"]):
                rows.append(measure(answer, golds[question["_id"]]))
            if kept:
                print(json.dumps({**question, "answers": golds.get(question["_id"]), "status": answer["status"],
                                  "short": answer["short"], "said": answer["answer"],
                                  "quotes": [c["quote"] for c in answer["citations"]],
                                  "nodes": answer["plan"]["nodes"], "ranking": ranking}), file=kept)
            for rank, doc in enumerate(ranking[:100], 1):
                print(f"{question['_id']} Q0 {doc} {rank} {1 / rank:.6f} lode")
    n = max(1, len(questions))
    print(f"{n} questions, {nodes / n:.1f} sub-questions, {served['queries'] / n:.1f} queries and "
          f"{served['pages'] / n:.1f} pages each, {(time.monotonic() - start) / n:.2f} s each",
          file=sys.stderr)
    if rows:
        report(rows)
    if kept:
        kept.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
