/* Which part of a page is its text.
 *
 * Three steps over the tree:
 *
 *   1. strip   what is never text (script, form controls, nav ...) and what a reader cannot see (hidden
 *              attributes, inline styles, screen-reader classes) is cut out of the tree;
 *   2. doubt   elements whose tag, role or class words say boilerplate (footer, aside, "cookie-banner",
 *              "related-posts") are marked, unless most of the page's good text lies in them;
 *   3. score   every stretch of inline text of a block is a paragraph: 40 characters or more with few of
 *              them in links. It scores 1 + commas + min(length / 100, 3) for its parent, half of that for
 *              the grandparent, 1/(3n) further up. Add the tag's and the class's prior, multiply by (1 -
 *              link density); the best element is the main one. From there up, as long as the parent
 *              brings a good deal more of strong paragraphs.
 *
 * Inside of the winner, lists and boxes that are mostly links go. When that leaves less than 250 characters,
 * it is done again with less doubt, and the longest result stays.
 *
 * The scoring follows Mozilla's Readability (github.com/mozilla/readability) in its idea and constants, the
 * notion of paragraph jusText (Pomikalek 2011); main, article and role are trusted more than both do. */
#include "layout/readers/html.h"

#include <string.h>

#define STRIPPED                                                                                   \
    " script style noscript template svg iframe frame frameset noframes object embed applet "      \
    "canvas "                                                                                      \
    "audio video source track map area input select textarea button option optgroup datalist nav " \
    "dialog link meta head base param progress meter label legend "

#define BLOCKS                                                                                     \
    " address article aside blockquote body center dd details dir div dl dt fieldset figcaption "  \
    "figure footer form h1 h2 h3 h4 h5 h6 header hgroup hr html li main menu ol p pre search "     \
    "section "                                                                                     \
    "summary table tbody td tfoot th thead tr ul caption "

#define ENOUGH_CHARS 250

/* Lower is stricter. */
typedef enum { DOUBT_CLASSES, DOUBT_TAGS, DOUBT_NOTHING } doubt;

typedef struct {
    double score;
    guint text, link;   /* characters, an ideograph counts as two */
    guint good, strong; /* of those, in good and in strong paragraphs */
    guint links;        /* number of <a> with text */
    gboolean dropped;
} stats;

typedef struct {
    GPtrArray *all; /* owns the stats that nodes point to */
    doubt level;
    guint body_good;
} scorer;

static stats *
stats_of(const xmlNode *node)
{
    return node->_private;
}

/* ---- words of class and id ---- */

static const char unlikely_words[] = " ad ads adv advert advertisement advertising adsense banner "
                                     "breadcrumb breadcrumbs catlinks comment "
                                     "comments commentlist consent cookie cookies disqus "
                                     "editsection footer gdpr jumplink lightbox login "
                                     "masthead menu menus modal nav navbar navbox navigation "
                                     "newsletter noprint outbrain overlay pager "
                                     "pagination paging popular popup printfooter promo "
                                     "promoted promotion recirculation recommend "
                                     "recommended recommendations related share sharebar shares "
                                     "sharing sidebar sidenav signin signup "
                                     "skip skiplink social sponsor sponsored subscribe "
                                     "subscription taboola toc toolbar tooltip trending "
                                     "widget widgets ";
static const char unlikely_inline_words[] = " editsection noprint tooltip skip skiplink jumplink ";
static const char likely_words[] = " article articlebody body content document entry main maintext "
                                   "markdown post prose rst story text ";

/* Is one of the words in value (split at case changes and at what is no letter or digit) in list? */
static gboolean
has_word(const char *value, const char *list)
{
    char word[36] = " ";
    gsize n = 0;

    for (const char *p = value ? value : "";; p++) {
        gboolean letter = g_ascii_isalnum(*p);
        gboolean border = letter && g_ascii_isupper(*p) && p > value && g_ascii_islower(p[-1]);
        if ((!letter || border) && n > 0) {
            if (n < sizeof word - 2) {
                word[n + 1] = ' ', word[n + 2] = '\0';
                if (strstr(list, word)) return TRUE;
            }
            n = 0;
        }
        if (!*p) return FALSE;
        if (letter && n < sizeof word - 2) word[++n] = g_ascii_tolower(*p);
    }
}

static gboolean
named(const xmlNode *node, const char *list)
{
    return has_word(layout_html_attribute(node, "class"), list) ||
           has_word(layout_html_attribute(node, "id"), list);
}

/* ---- what a reader cannot see ---- */

static gboolean
declares(const char *style, const char *declaration)
{
    for (const char *at = style; (at = strstr(at, declaration)) != NULL; at++) {
        if (at > style && at[-1] != ';') continue; /* "max-height:0" is not "height:0" */
        const char *end = at + strlen(declaration);
        if (g_str_has_suffix(declaration, "0") &&
            !strchr(declaration, '(')) { /* zero of any unit, but not 0.5 */
            while (*end == '0' || (*end == '.' && end[1] == '0'))
                end++;
            while (g_ascii_isalpha(*end) || *end == '%')
                end++;
            if (*end && *end != ';' && *end != '!') continue;
        }
        return TRUE;
    }
    return FALSE;
}

static gboolean
style_hides(const char *value)
{
    static const char *const always[] = {
        "display:none",        "visibility:hidden",    "visibility:collapse", "opacity:0",
        "font-size:0",         "color:transparent",    "clip:rect(0",         "clip:rect(1px",
        "clip-path:inset(50%", "clip-path:inset(100%", "text-indent:-999"};
    static const char *const if_clipped[] = {"height:0", "max-height:0", "width:0", "max-width:0"};
    static const char *const if_placed[] = {"left:-999", "top:-999", "right:-999"};
    g_autofree char *style = g_ascii_strdown(value, -1);
    char *to = style;

    for (const char *p = style; *p; p++)
        if (!g_ascii_isspace(*p)) *to++ = *p;
    *to = '\0';
    for (gsize i = 0; i < G_N_ELEMENTS(always); i++)
        if (declares(style, always[i])) return TRUE;
    for (gsize i = 0; i < G_N_ELEMENTS(if_clipped); i++)
        if (declares(style, if_clipped[i]) && strstr(style, "overflow:hidden")) return TRUE;
    for (gsize i = 0; i < G_N_ELEMENTS(if_placed); i++)
        if (declares(style, if_placed[i])) return TRUE;
    return FALSE;
}

static gboolean
is_hidden(const xmlNode *node)
{
    const char *style = layout_html_attribute(node, "style"),
               *aria = layout_html_attribute(node, "aria-hidden");
    const char *class = layout_html_attribute(node, "class");

    /* MathML beside a picture of the formula is hidden from the eye, and the better one for us */
    if (class && strstr(class, "mathml")) return FALSE;
    if (layout_html_attribute(node, "hidden")) return TRUE;
    if (aria && g_ascii_strcasecmp(aria, "true") == 0) return TRUE;
    if (class) {
        static const char *const hidden[] = {"sr-only", "visually-hidden", "visuallyhidden",
                                             "screen-reader-text", "screen-reader-only"};
        g_auto(GStrv) names = g_strsplit_set(class, " \t\r\n", -1);
        for (gsize i = 0; i < G_N_ELEMENTS(hidden); i++)
            if (g_strv_contains((const char *const *)names, hidden[i])) return TRUE;
    }
    return style && style_hides(style);
}

static gboolean
role_is_furniture(const xmlNode *node)
{
    const char *role = layout_html_attribute(node, "role");
    return role &&
           has_word(role, " navigation banner contentinfo search complementary dialog alertdialog "
                          "menu menubar toolbar tablist tooltip ");
}

static gboolean
is_math_script(const xmlNode *node)
{
    const char *type = layout_html_attribute(node, "type");
    return layout_html_is(node, "script") && type && g_str_has_prefix(type, "math/tex");
}

/* Step 1. */
static void
strip(xmlNode *node)
{
    for (xmlNode *n = node->children, *next; n; n = next) {
        next = n->next;
        n->_private = NULL;
        gboolean keep = n->type == XML_TEXT_NODE || n->type == XML_CDATA_SECTION_NODE;
        if (n->type == XML_ELEMENT_NODE)
            keep =
                is_math_script(n) ||
                (!layout_html_is_one_of(n, STRIPPED) && !is_hidden(n) &&
                 (!role_is_furniture(n) || layout_html_is_one_of(n, " body html main article ")));
        if (!keep) {
            xmlUnlinkNode(n);
            xmlFreeNode(n);
        } else if (n->type == XML_ELEMENT_NODE && !is_math_script(n)) {
            strip(n);
        }
    }
}

/* ---- counting ---- */

typedef struct {
    guint len, link, commas, links;
    gunichar last;
} run;

static void
count_text(run *r, const char *text, gboolean in_link)
{
    gboolean blank = r->len == 0;
    for (const char *p = text ? text : ""; *p; p = g_utf8_next_char(p)) {
        gunichar c = g_utf8_get_char(p);
        if (g_unichar_isspace(c)) {
            blank = TRUE;
            continue;
        }
        guint width = g_unichar_iswide(c) ? 2 : 1;
        if (blank && r->len > 0) width++;
        blank = FALSE;
        r->len += width;
        if (in_link) r->link += width;
        if (c == ',' || c == ';' || c == 0x3001 || c == 0xff0c || c == 0x60c) r->commas++;
        r->last = c;
    }
}

static void
close_run(xmlNode *block, run *r)
{
    stats *own = stats_of(block);
    double density = r->len > 0 ? (double)r->link / r->len : 1;

    own->text += r->len;
    own->link += r->link;
    own->links += r->links;
    if (r->len >= 40 && density < 0.35 && !layout_html_is_one_of(block, " h1 h2 h3 h4 h5 h6 ")) {
        own->good += r->len;
        gboolean ends = r->last == '.' || r->last == '!' || r->last == '?' || r->last == ':' ||
                        r->last == 0x3002 || r->last == ')' || r->last == ']' || r->last == '"';
        if (r->len >= 100 || (r->len >= 60 && ends)) own->strong += r->len;
        double score = 1 + r->commas + MIN(r->len / 100.0, 3);
        int n = 0;
        /* a bare div or td is its own parent: the text stands right in it */
        xmlNode *up =
            layout_html_is_one_of(block, " p pre li blockquote dd dt ") ? block->parent : block;
        for (; up && up->type == XML_ELEMENT_NODE && up->_private && n < 6; up = up->parent, n++)
            stats_of(up)->score += n == 0 ? score : (n == 1 ? score / 2 : score / (3.0 * n));
    }
    *r = (run){0};
}

/* Text of node's inline content into r, blocks below it on their own; their sums are added to block. */
static void
count(scorer *s, xmlNode *node, xmlNode *block, run *r, gboolean in_link)
{
    for (xmlNode *n = node->children; n; n = n->next) {
        if (n->type == XML_TEXT_NODE || n->type == XML_CDATA_SECTION_NODE) {
            count_text(r, (const char *)n->content, in_link);
            continue;
        }
        if (n->type != XML_ELEMENT_NODE || is_math_script(n)) continue;
        if (!n->_private) {
            n->_private = g_new0(stats, 1);
            g_ptr_array_add(s->all, n->_private);
        }
        if (stats_of(n)->dropped) continue;
        *stats_of(n) = (stats){0};
        if (layout_html_is_one_of(n, BLOCKS)) {
            run inner = {0};
            close_run(block, r);
            count(s, n, n, &inner, in_link);
            close_run(n, &inner);
            const stats *sum = stats_of(n);
            stats *into = stats_of(block);
            into->text += sum->text, into->link += sum->link, into->links += sum->links;
            into->good += sum->good, into->strong += sum->strong;
        } else {
            gboolean link = layout_html_is(n, "a") && layout_html_attribute(n, "href");
            guint before = r->len;
            count(s, n, block, r, in_link || link);
            if (link && r->len > before) r->links++;
            if (layout_html_is(n, "br") && r->len > 0) count_text(r, " ", FALSE);
        }
    }
}

static void
count_all(scorer *s, xmlNode *root)
{
    run r = {0};
    if (!root->_private) {
        root->_private = g_new0(stats, 1);
        g_ptr_array_add(s->all, root->_private);
    }
    *stats_of(root) = (stats){0};
    count(s, root, root, &r, FALSE);
    close_run(root, &r);
}

static double
link_density(const stats *st)
{
    return st->text > 0 ? (double)st->link / st->text : 0;
}

/* ---- step 2: doubt ---- */

static gboolean
inside(const xmlNode *node, const char *list)
{
    for (const xmlNode *up = node->parent; up && up->type == XML_ELEMENT_NODE; up = up->parent)
        if (layout_html_is_one_of(up, list)) return TRUE;
    return FALSE;
}

static gboolean
contains(const xmlNode *node, const char *name)
{
    for (const xmlNode *n = node->children; n; n = n->next)
        if (n->type == XML_ELEMENT_NODE && (layout_html_is(n, name) || contains(n, name)))
            return TRUE;
    return FALSE;
}

static gboolean
tag_is_doubtful(const xmlNode *node)
{
    if (layout_html_is(node, "footer")) return !inside(node, " blockquote figure ");
    if (layout_html_is(node, "aside"))
        return !named(node,
                      " admonition callout footnote footnotes important note notes tip warning ");
    if (layout_html_is(node, "header")) /* the page's, not an article's */
        return !inside(node, " article main ") && !contains(node, "h1");
    return FALSE;
}

static gboolean
class_is_doubtful(const xmlNode *node)
{
    if (layout_html_is_one_of(node, " html body main ") || inside(node, " pre code math "))
        return FALSE;
    /* paragraphs carry the words of scripts that act on them ("paywall", "ad-anchor"), boxes say what they are */
    if (layout_html_is_one_of(node, " p pre code math ")) return FALSE;
    if (!layout_html_is_one_of(node, BLOCKS)) return named(node, unlikely_inline_words);
    if (!named(node, unlikely_words)) return FALSE;
    return !named(node, likely_words) || link_density(stats_of(node)) > 0.5;
}

static void
mark_doubtful(scorer *s, xmlNode *node)
{
    for (xmlNode *n = node->children; n; n = n->next) {
        stats *st = n->type == XML_ELEMENT_NODE ? stats_of(n) : NULL;
        if (!st) continue;
        gboolean doubtful = (s->level < DOUBT_NOTHING && tag_is_doubtful(n)) ||
                            (s->level < DOUBT_TAGS && class_is_doubtful(n));
        if (doubtful && st->good * 2 <= s->body_good)
            st->dropped = TRUE;
        else
            mark_doubtful(s, n);
    }
}

static void
clear_marks(xmlNode *node)
{
    if (node->_private) stats_of(node)->dropped = FALSE;
    for (xmlNode *n = node->children; n; n = n->next)
        if (n->type == XML_ELEMENT_NODE) clear_marks(n);
}

/* ---- step 3: score ---- */

static gboolean
is_semantic(const xmlNode *node)
{
    const char *role = layout_html_attribute(node, "role"),
               *prop = layout_html_attribute(node, "itemprop");
    return layout_html_is_one_of(node, " article main ") || (role && g_str_equal(role, "main")) ||
           (prop && has_word(prop, " articlebody body text "));
}

static double
prior(const xmlNode *node)
{
    double p = 0;
    if (layout_html_is(node, "div") || layout_html_is(node, "section"))
        p += 5;
    else if (layout_html_is_one_of(node, " pre td blockquote "))
        p += 3;
    else if (layout_html_is_one_of(node, " address ol ul dl dd dt li form "))
        p -= 3;
    else if (layout_html_is_one_of(node, " h1 h2 h3 h4 h5 h6 th "))
        p -= 5;
    if (is_semantic(node)) p += 30;
    if (named(node, likely_words)) p += 25;
    if (named(node, unlikely_words)) p -= 25;
    return p;
}

static void
find_best(xmlNode *node, xmlNode **best, double *best_score)
{
    for (xmlNode *n = node->children; n; n = n->next) {
        stats *st = n->type == XML_ELEMENT_NODE ? stats_of(n) : NULL;
        if (!st || st->dropped) continue;
        if (layout_html_is_one_of(n, BLOCKS) && st->good > 0 &&
            !layout_html_is_one_of(n, " p pre tr ")) {
            /* a prior alone makes no text: it may at most double the score */
            double score =
                (st->score + CLAMP(prior(n), -st->score / 2, st->score)) * (1 - link_density(st));
            if (score > *best_score) *best = n, *best_score = score;
        }
        find_best(n, best, best_score);
    }
}

static void
find_semantic(xmlNode *node, xmlNode **found, guint *n_found)
{
    for (xmlNode *n = node->children; n; n = n->next) {
        if (n->type != XML_ELEMENT_NODE || !stats_of(n) || stats_of(n)->dropped) continue;
        const char *role = layout_html_attribute(n, "role");
        if (layout_html_is(n, "main") || (role && g_str_equal(role, "main"))) {
            *found = n;
            (*n_found)++;
        } else {
            find_semantic(n, found, n_found);
        }
    }
}

static xmlNode *
choose(scorer *s, xmlNode *body)
{
    xmlNode *bound = body, *found = NULL;
    guint n_found = 0;

    find_semantic(body, &found, &n_found);
    if (n_found == 1 && stats_of(found)->good * 2 >= s->body_good && stats_of(found)->good > 0)
        bound = found;
    xmlNode *best = bound;
    double best_score = 0;
    find_best(bound, &best, &best_score);
    for (xmlNode *up = best; up != bound;) {
        up = up->parent;
        const stats *now = stats_of(best), *more = stats_of(up);
        double gain = now->strong > 0 ? (double)more->strong / now->strong : G_MAXDOUBLE;
        /* an element that says it is the article is left only for as much again */
        if (gain >= (is_semantic(best) ? 2.0 : 1.3)) best = up;
    }
    return best;
}

/* Lists, boxes and tables inside the main element that are mostly links. */
static void
mark_link_boxes(xmlNode *node)
{
    for (xmlNode *n = node->children; n; n = n->next) {
        stats *st = n->type == XML_ELEMENT_NODE ? stats_of(n) : NULL;
        if (!st || st->dropped) continue;
        if (layout_html_is_one_of(n, " div section ul ol dl table form ") && st->links >= 2 &&
            !named(n, " bibliography biblist ref refs references reflist footnotes ")) {
            double limit = st->text < 200 ? 0.5 : 0.65;
            if (link_density(st) > limit && st->strong * 4 < st->text) {
                st->dropped = TRUE;
                continue;
            }
        }
        mark_link_boxes(n);
    }
}

static xmlNode *
find_at(scorer *s, xmlNode *body, doubt level, guint *len)
{
    s->level = level;
    clear_marks(body);
    count_all(s, body);
    s->body_good = stats_of(body)->good;
    mark_doubtful(s, body);
    count_all(s, body);
    s->body_good = stats_of(body)->good;
    xmlNode *best = choose(s, body);
    if (level < DOUBT_NOTHING) {
        mark_link_boxes(best);
        count_all(s, body);
    }
    *len = stats_of(best)->text;
    return best;
}

static void
cut_marked(xmlNode *node)
{
    for (xmlNode *n = node->children, *next; n; n = next) {
        next = n->next;
        if (n->type != XML_ELEMENT_NODE) continue;
        if (n->_private && stats_of(n)->dropped) {
            xmlUnlinkNode(n);
            xmlFreeNode(n);
        } else {
            n->_private = NULL;
            cut_marked(n);
        }
    }
}

static xmlNode *
find_body(xmlNode *root)
{
    if (layout_html_is(root, "body")) return root;
    for (xmlNode *n = root->children; n; n = n->next)
        if (layout_html_is(n, "body")) return n;
    return root;
}

xmlNode *
layout_html_main_find(xmlDoc *document)
{
    xmlNode *root = xmlDocGetRootElement(document), *body = find_body(root), *best = body;
    g_autoptr(GPtrArray) all = g_ptr_array_new_with_free_func(g_free);
    scorer s = {.all = all};
    guint best_len = 0, len = 0;
    doubt best_level = DOUBT_CLASSES, level;

    strip(body);
    for (level = DOUBT_CLASSES; level <= DOUBT_NOTHING; level++) {
        best = find_at(&s, body, level, &len);
        if (len > best_len || level == DOUBT_CLASSES) best_len = len, best_level = level;
        if (len >= ENOUGH_CHARS) break;
    }
    /* less doubt that finds hardly more has only found furniture */
    if (level > DOUBT_NOTHING) best = find_at(&s, body, best_level, &len);
    cut_marked(best);
    best->_private = NULL;
    return best;
}

xmlNode *
layout_html_whole(xmlDoc *document)
{
    xmlNode *body = find_body(xmlDocGetRootElement(document));
    strip(body);
    return body;
}
