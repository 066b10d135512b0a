#!/usr/bin/env python3
"""Makes the labelled pages of this folder: NAME.html and NAME.txt, its main text. Python standard library only.

Sixteen kinds of page as sites build them, three of each with other words, class names and amounts of boilerplate.
What a reader came for goes into the label as it is put into the page; menus, teasers, advertisements, comments under
articles, forms, notices and hidden text do not. The sentences are put together from lists of words, so that a page
has the shares of function words, commas and links that real ones have, and nobody's text is copied.
"""
import html
import random

SUBJECTS = ["The committee", "A recent survey", "The harbour authority", "Our team", "The old mill", "Each volunteer",
            "The second expedition", "A small laboratory", "The city library", "The new ferry", "The orchestra",
            "An engineer from the valley", "The river council", "The museum", "A group of students"]
VERBS = ["has decided to repair", "reported on", "measured", "was asked to describe", "carefully compared",
         "will soon replace", "had lost sight of", "began to restore", "could not explain", "presented", "took over",
         "is looking for", "learned a great deal about", "paid for", "wrote about"]
OBJECTS = ["the stone bridge", "several wells in the northern district", "a series of water samples",
           "the timetable of the night trains", "the oldest part of the collection", "the roof of the market hall",
           "the migration of the geese", "the cost of heating", "a forgotten map of the coast", "the harvest of last year",
           "the sound of the bells", "the salt content of the soil", "a plan for the school garden", "the lighthouse",
           "the results of the trial"]
TAILS = ["because the winter had been unusually long", "which surprised those who had seen it before",
         "although the money for it is not there yet", "and that is more than anyone had expected",
         "while the work on the road goes on", "so that it can be used again by the end of the summer",
         "as it was agreed in the spring", "after three years of waiting, letters and meetings",
         "with the help of people from the village", "in order to find out what had changed",
         "even when the wind came from the east", "before the snow, the rain and the mud arrived"]
MENU = ["Home", "News", "Sport", "Weather", "Contact", "About us", "Shop", "Archive", "Events", "Jobs", "Login",
        "Subscribe", "Gallery", "Help", "Directory", "Travel", "Culture", "Video"]


class Writer:
    def __init__(self, seed):
        self.r = random.Random(seed)
        self.label = []

    def sentence(self):
        tail = self.r.choice(TAILS) if self.r.random() < 0.75 else ""
        text = f"{self.r.choice(SUBJECTS)} {self.r.choice(VERBS)} {self.r.choice(OBJECTS)}"
        if tail:
            text += (", " if self.r.random() < 0.5 else " ") + tail
        if self.r.random() < 0.3:
            text += f" (about {self.r.randint(3, 980)} in {self.r.randint(1901, 2024)})"
        return text + "."

    def text(self, n=None):
        return " ".join(self.sentence() for _ in range(n or self.r.randint(2, 5)))

    def title(self):
        return f"{self.r.choice(SUBJECTS)} and {self.r.choice(OBJECTS)}"

    def keep(self, text):
        """Main text, escaped for the page."""
        self.label.append(text)
        return html.escape(text)

    def p(self, n=None):
        return f"<p>{self.keep(self.text(n))}</p>\n"

    def ps(self, low, high):
        return "".join(self.p() for _ in range(self.r.randint(low, high)))

    def h(self, level=1):
        return f"<h{level}>{self.keep(self.title())}</h{level}>\n"

    def menu(self, tag="ul", n=9, cls="nav"):
        items = "".join(f'<li><a href="/{m.lower()}">{m}</a></li>' for m in self.r.sample(MENU, n))
        return f'<{tag} class="{cls}">{items}</{tag}>\n'

    def teasers(self, n=5, cls="related"):
        items = "".join(f'<div class="teaser"><a href="/t{i}"><img src="{i}.jpg" alt="">{self.title()}</a></div>\n'
                        for i in range(n))
        return f'<div class="{cls}"><h3>You may also like</h3>{items}</div>\n'

    def footer(self):
        return ('<footer><p>Copyright 2024 The Publisher. All rights reserved.</p>' + self.menu(n=6, cls="footer-links")
                + "<p>Follow us on our channels and never miss a story.</p></footer>\n")

    def comments(self, n=3):
        items = "".join(f'<li class="comment"><b>reader{i}</b> <span>2 days ago</span><p>{self.text(1)}</p>'
                        '<a href="#">Reply</a></li>' for i in range(n))
        return f'<div id="comments"><h3>{n} comments</h3><ol>{items}</ol><form><textarea></textarea></form></div>\n'

    def cookie(self):
        return ('<div class="cookie-banner" role="dialog"><p>We use cookies to improve your visit. By going on you agree '
                'to our policy.</p><button>Accept all</button></div>\n')


def news(w):
    return (w.cookie() + "<header>" + w.menu() + "</header><main><article>" + w.h()
            + '<div class="byline">By A Reporter</div>' + w.ps(2, 4) + w.teasers(3) + w.ps(2, 4)
            + '<div class="newsletter"><p>Get our newsletter every morning.</p><input></div>' + w.ps(1, 2)
            + "</article>" + w.comments() + "</main><aside>" + w.teasers(6, "most-read") + "</aside>" + w.footer())


def blog_divs(w):
    body = "".join(f"<div>{w.keep(w.text())}</div>\n" for _ in range(w.r.randint(4, 7)))
    cloud = " ".join(f'<a href="/tag/{i}">tag{i}</a>' for i in range(25))
    return (f'<div id="wrap"><div id="top">{w.menu()}</div><div id="left"><div class="post">'
            f"<div class='post-title'><h2>{w.keep(w.title())}</h2></div>{body}</div>"
            f'<div class="pager"><a href="/2">Older posts</a></div></div><div id="sidebar"><h4>Tags</h4>{cloud}'
            f'<h4>Links</h4>{w.menu(n=8)}</div></div>' + w.footer())


def wiki(w):
    sections = "".join(w.h(2) + w.ps(1, 3) for _ in range(3))
    box = "".join(f"<tr><th>{w.keep(k)}</th><td>{w.keep(v)}</td></tr>"
                  for k, v in [("Country", "Norway"), ("Length", "12 km"), ("Opened", "1931")])
    return ('<div id="mw-navigation">' + w.menu(n=12) + '</div><div id="content" class="mw-body">' + w.h()
            + f'<table class="infobox">{box}</table>' + w.p(4)
            + '<div id="toc" class="toc"><ul><li><a href="#a">1 First</a></li><li><a href="#b">2 Second</a></li></ul></div>'
            + sections + '<div class="navbox">' + w.menu(n=14) + "</div></div>" + w.footer())


def docs(w):
    code = "install --prefix=/usr/local\nrun --verbose config.ini"
    return ('<nav class="sidebar">' + w.menu(n=16) + '</nav><div class="document"><div class="body" role="main">' + w.h()
            + w.p() + w.h(2) + w.p() + f"<pre>{w.keep(code)}</pre>" + w.p()
            + "<ul>" + "".join(f"<li>{w.keep(w.text(1))}</li>" for _ in range(4)) + "</ul>" + w.p()
            + '</div></div><div class="related"><a href="prev">Previous</a> <a href="next">Next</a></div>' + w.footer())


def forum(w):
    posts = "".join(f'<div class="post"><div class="author"><a href="/u{i}">user{i}</a><br>Posts: {i * 31}</div>'
                    f'<div class="message"><p>{w.keep(w.text())}</p></div></div>\n' for i in range(1, w.r.randint(4, 6)))
    return ("<div class='topbar'>" + w.menu() + f"</div><div class='thread'><h1>{w.keep(w.title())}</h1>{posts}</div>"
            + '<div class="reply-form"><form><input><button>Post reply</button></form></div>' + w.footer())


def product(w):
    rows = "".join(f"<tr><td>{w.keep(k)}</td><td>{w.keep(v)}</td></tr>"
                   for k, v in [("Weight", "1.2 kg"), ("Width", "40 cm"), ("Colour", "grey"), ("Material", "oak")])
    return ("<header>" + w.menu() + '</header><div class="product-page"><div class="breadcrumb"><a href="/">Home</a> &gt; '
            '<a href="/tools">Tools</a></div>' + w.h() + '<div class="description">' + w.ps(3, 5)
            + f"<table>{rows}</table></div><div class='cart'><button>Add to cart</button></div></div>"
            + w.teasers(6, "recommendations") + w.footer())


def tables(w):
    return ('<center><table width="800" border="0"><tr><td colspan="2"><font size="5">Welcome to the site</font></td></tr>'
            '<tr><td width="150" valign="top">' + "<br>".join(f'<a href="{m}.htm">{m}</a>' for m in w.r.sample(MENU, 10))
            + f'</td><td valign="top"><font face="Arial"><b>{w.keep(w.title())}</b><br><br>'
            + "<br><br>\n".join(w.keep(w.text()) for _ in range(6))
            + '</font></td></tr><tr><td colspan="2" align="center"><small>Best viewed at 800x600. Mail the '
            'webmaster.</small></td></tr></table></center>')


def recipe(w):
    items = "".join(f"<li>{w.keep(f'{w.r.randint(1, 900)} g of {x}')}</li>" for x in ["flour", "butter", "sugar", "salt"])
    steps = "".join(f"<li>{w.keep(w.text(2))}</li>" for _ in range(5))
    return ("<header>" + w.menu() + '</header><div class="share">Share this: <a href="#">Mail</a> <a href="#">Print</a></div>'
            "<article class='recipe'>" + w.h() + w.ps(2, 3) + f"<h2>{w.keep('Ingredients')}</h2><ul>{items}</ul>"
            f"<h2>{w.keep('Method')}</h2><ol>{steps}</ol></article>" + w.comments(4) + w.teasers() + w.footer())


def abstract(w):
    return ('<div class="header">' + w.menu(n=6) + '</div><div class="content"><div class="article">' + w.h()
            + '<div class="authors"><a href="/a1">A. Author</a>, <a href="/a2">B. Author</a></div>'
            + f'<h2>{w.keep("Abstract")}</h2>' + w.ps(1, 2) + w.h(2) + w.ps(2, 4)
            + '</div><div class="tools"><a href="/pdf">PDF</a><a href="/cite">Cite</a><a href="/alert">Alert me</a></div></div>'
            + w.teasers(4, "similar-articles") + w.footer())


def press(w):
    return (w.cookie() + '<div class="skip"><a href="#main">Skip to content</a></div><div class="header">' + w.menu()
            + '</div><section id="main"><div class="press-release">' + w.h() + w.ps(4, 7)
            + f"<blockquote>{w.keep(w.text(2))}</blockquote>" + w.p() + '</div><div class="contact-box"><h4>Press contact</h4>'
            '<p>Telephone 000 000, mail at the office.</p></div></section>' + w.footer())


def answers(w):
    replies = "".join(f'<div class="answer"><div class="votes">{w.r.randint(0, 90)}</div><div class="body">{w.ps(1, 2)}'
                      '</div><div class="actions"><a href="#">share</a> <a href="#">edit</a> <a href="#">flag</a></div></div>'
                      for _ in range(3))
    return ('<div class="topbar">' + w.menu() + '</div><div id="mainbar"><div class="question">' + w.h()
            + f'<div class="body">{w.ps(1, 2)}</div></div>{replies}</div><div id="sidebar">' + w.teasers(7, "linked")
            + "</div>" + w.footer())


def adverts(w):
    ad = '<div class="ad-slot"><span>Advertisement</span><p>Buy two, pay for one. Only this week in all our shops.</p></div>'
    body = "".join(w.p() + (ad if i % 2 else "") for i in range(7))
    return ("<div id='header'>" + w.menu(n=14) + f"</div><div class='story-body'>{w.h()}{body}</div>"
            "<div class='promo'><p>Support our work with a gift today.</p></div>" + w.teasers(8, "sponsored") + w.footer())


def archive(w):
    lines = "\n\n".join("\n".join(w.sentence() for _ in range(3)) for _ in range(4))
    return ('<hr><b>From:</b> someone at some place<br><b>Date:</b> Mon, 4 Mar 2002<br><h1>' + w.keep(w.title())
            + f"</h1><pre>{w.keep(lines)}</pre><hr><ul><li>Next message: <a href='2'>Re: thread</a><li>Previous message: "
            "<a href='0'>Re: other</a><li>Messages sorted by: <a href='d'>[ date ]</a> <a href='t'>[ thread ]</a></ul>")


def office(w):
    lists = "<ul>" + "".join(f'<li>{w.keep(w.text(1))} <a href="/f{i}">{w.keep("Form " + str(i))}</a></li>'
                             for i in range(4)) + "</ul>"
    return ('<div class="banner">An official site</div><nav>' + w.menu(n=11) + '</nav><ol class="breadcrumbs"><li>'
            '<a href="/">Home</a></li><li><a href="/s">Services</a></li></ol><main id="main">' + w.h() + w.ps(2, 3) + w.h(2)
            + lists + w.h(2) + w.ps(2, 3) + '</main><div class="feedback"><p>Is this page useful?</p><button>Yes</button>'
            '<button>No</button></div>' + w.footer())


def hidden(w):
    return ('<div style="display:none"><p>' + w.text(4) + "</p></div><div aria-hidden='true'><p>" + w.text(3) + "</p></div>"
            "<div class='menu'>" + w.menu() + '</div><div class="entry-content">' + w.h() + w.ps(4, 6)
            + '<p style="font-size:0">' + w.text(2) + "</p></div>" + w.footer())


def bare(w):
    return w.h() + w.ps(3, 5) + w.h(2) + w.ps(2, 3) + '<p><a href="index.html">Back to the index</a></p>'


KINDS = [news, blog_divs, wiki, docs, forum, product, tables, recipe, abstract, press, answers, adverts, archive, office,
         hidden, bare]


def main():
    for number, kind in enumerate(KINDS):
        for copy in range(3):
            w = Writer(1000 * number + copy)
            body = kind(w)
            name = f"{kind.__name__}_{copy + 1}"
            with open(f"{name}.html", "w", encoding="utf-8") as out:
                out.write(f"<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>{html.escape(w.label[0])}"
                          f"</title><script>var x = 1;</script></head>\n<body>\n{body}</body></html>\n")
            with open(f"{name}.txt", "w", encoding="utf-8") as out:
                out.write("\n".join(w.label) + "\n")


main()
