/* XML from foreign hands: parsed without anything but its own bytes, and what readers ask of the tree.
 *
 * libxml2 limits depth (256), the length of a text (10 MB) and what entities expand to; entities are refused
 * before they are expanded at all, since no format that is read here needs its own. */
#include "layout/readers/xml.h"

#include <libxml/HTMLparser.h>
#include <libxml/parser.h>
#include <string.h>

#include "layout/layout.h"

static void
keep_quiet(void *context, const char *message, ...)
{
    (void)context, (void)message;
}

/* Set by the declaration of an entity, which is then not made. */
static void
refuse_entity(void *context, const xmlChar *name, int type, const xmlChar *public_id,
              const xmlChar *system_id, xmlChar *content)
{
    xmlParserCtxt *parser = context;
    (void)name, (void)type, (void)public_id, (void)system_id, (void)content;
    *(gboolean *)parser->_private = TRUE;
    xmlStopParser(parser);
}

xmlDoc *
layout_xml_parse(const guchar *data, gsize len, gboolean *cut, GError **error)
{
    xmlParserCtxt *parser = len <= G_MAXINT ? xmlNewParserCtxt() : NULL;
    if (parser == NULL) {
        g_set_error_literal(error, LAYOUT_ERROR, LAYOUT_ERROR_LIMIT, "too much XML");
        return NULL;
    }
    gboolean refused = FALSE;
    parser->_private = &refused;
    parser->sax->entityDecl = refuse_entity;
    parser->sax->warning = parser->sax->error = keep_quiet;
    const int options = XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING |
                        XML_PARSE_NOCDATA | XML_PARSE_RECOVER;
    xmlDoc *tree = xmlCtxtReadMemory(parser, (const char *)data, (int)len, NULL, NULL, options);
    /* names that an external DTD would have defined are no damage */
    const gboolean damaged = !parser->wellFormed && parser->errNo != XML_ERR_UNDECLARED_ENTITY &&
                             parser->errNo != XML_WAR_UNDECLARED_ENTITY;
    const xmlError *last = xmlCtxtGetLastError(parser);
    g_autofree char *reason = last != NULL && last->message != NULL
                                  ? g_strchomp(g_utf8_make_valid(last->message, -1))
                                  : g_strdup("it ends too early");
    const int line = last != NULL ? last->line : 0;
    xmlFreeParserCtxt(parser);
    const char *root = NULL;
    if (refused) {
        g_set_error_literal(error, LAYOUT_ERROR, LAYOUT_ERROR_FORMAT,
                            "its document type declares entities, which are not read: they may "
                            "expand without end or name other files");
    } else if (tree == NULL || (root = (const char *)xmlDocGetRootElement(tree)) == NULL ||
               (damaged && cut == NULL)) {
        g_set_error(error, LAYOUT_ERROR, LAYOUT_ERROR_FORMAT, "damaged XML: line %d: %s", line,
                    reason);
        root = NULL;
    }
    if (root == NULL) g_clear_pointer(&tree, xmlFreeDoc);
    if (cut != NULL) *cut = damaged;
    return tree;
}

gboolean
layout_xml_is(const xmlNode *node, const char *name)
{
    return node != NULL && node->type == XML_ELEMENT_NODE &&
           strcmp((const char *)node->name, name) == 0;
}

gboolean
layout_xml_is_one_of(const xmlNode *node, const char *list)
{
    char word[40];
    if (node == NULL || node->type != XML_ELEMENT_NODE) return FALSE;
    const int n = g_snprintf(word, sizeof word, " %s ", (const char *)node->name);
    return n > 0 && (gsize)n < sizeof word && strstr(list, word) != NULL;
}

const xmlNode *
layout_xml_child(const xmlNode *node, const char *name)
{
    for (const xmlNode *n = node != NULL ? node->children : NULL; n != NULL; n = n->next)
        if (layout_xml_is(n, name)) return n;
    return NULL;
}

const xmlNode *
layout_xml_find(const xmlNode *node, const char *name)
{
    for (const xmlNode *n = node != NULL ? node->children : NULL; n != NULL; n = n->next) {
        if (n->type != XML_ELEMENT_NODE) continue;
        const xmlNode *found = layout_xml_is(n, name) ? n : layout_xml_find(n, name);
        if (found != NULL) return found;
    }
    return NULL;
}

char *
layout_xml_attribute(const xmlNode *node, const char *name)
{
    if (node == NULL || node->type != XML_ELEMENT_NODE) return NULL;
    for (const xmlAttr *a = node->properties; a != NULL; a = a->next) {
        if (strcmp((const char *)a->name, name) != 0) continue;
        g_autoptr(GString) out = g_string_new(NULL);
        char buffer[8];
        for (const xmlNode *n = a->children; n != NULL; n = n->next)
            g_string_append(out, n->type == XML_ENTITY_REF_NODE ? layout_xml_entity(n, buffer)
                                 : n->content != NULL           ? (const char *)n->content
                                                                : "");
        return g_strdup(out->str);
    }
    return NULL;
}

const char *
layout_xml_entity(const xmlNode *reference, char *buffer)
{
    const htmlEntityDesc *known = htmlEntityLookup(reference->name);
    buffer[0] = '\0';
    if (known != NULL) buffer[g_unichar_to_utf8(known->value, buffer)] = '\0';
    return buffer;
}

static void
gather_text(GString *out, const xmlNode *node)
{
    char buffer[8];
    for (const xmlNode *n = node->children; n != NULL; n = n->next) {
        if (n->type == XML_TEXT_NODE || n->type == XML_CDATA_SECTION_NODE)
            g_string_append(out, n->content != NULL ? (const char *)n->content : "");
        else if (n->type == XML_ENTITY_REF_NODE)
            g_string_append(out, layout_xml_entity(n, buffer));
        else if (n->type == XML_ELEMENT_NODE)
            gather_text(out, n);
    }
}

char *
layout_xml_text(const xmlNode *node)
{
    GString *out = g_string_new(NULL);
    if (node != NULL) gather_text(out, node);
    return g_string_free(out, FALSE);
}

char *
layout_xml_clean_text(const xmlNode *node)
{
    g_autofree char *text = layout_xml_text(node);
    char *clean = layout_html_clean(text);
    return clean != NULL ? clean : g_strdup("");
}
