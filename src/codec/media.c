/* The table of media types.
 * Not a look into the file: what the name does not say is not guessed.
 * SPDX-License-Identifier: MIT */
#include "codec/media.h"

#include <string.h>

#define TEXT "; charset=utf-8"
enum { EXTENSION_BYTES_MAX = 15 };

static const struct {
    const char *extension;
    const char *name;
    bool is_worth_packing;
} types[] = {
    /* by how often they are asked for */
    {"html", "text/html" TEXT, true},
    {"js", "text/javascript" TEXT, true},
    {"css", "text/css" TEXT, true},
    {"png", "image/png", false},
    {"svg", "image/svg+xml" TEXT, true},
    {"json", "application/json", true},
    {"ico", "image/x-icon", true},
    {"woff2", "font/woff2", false},
    {"jpg", "image/jpeg", false},
    {"mjs", "text/javascript" TEXT, true},
    {"wasm", "application/wasm", true},
    {"apng", "image/apng", false},
    {"avif", "image/avif", false},
    {"bmp", "image/bmp", true},
    {"cjs", "text/javascript" TEXT, true},
    {"csv", "text/csv" TEXT, true},
    {"eot", "application/vnd.ms-fontobject", true},
    {"flac", "audio/flac", false},
    {"gif", "image/gif", false},
    {"glb", "model/gltf-binary", true},
    {"gltf", "model/gltf+json", true},
    {"gz", "application/gzip", false},
    {"htm", "text/html" TEXT, true},
    {"ics", "text/calendar" TEXT, true},
    {"jpeg", "image/jpeg", false},
    {"jsonld", "application/ld+json", true},
    {"jxl", "image/jxl", false},
    {"m4a", "audio/mp4", false},
    {"map", "application/json", true},
    {"md", "text/markdown" TEXT, true},
    {"mp3", "audio/mpeg", false},
    {"mp4", "video/mp4", false},
    {"oga", "audio/ogg", false},
    {"ogg", "audio/ogg", false},
    {"ogv", "video/ogg", false},
    {"opus", "audio/ogg", false},
    {"otf", "font/otf", true},
    {"pdf", "application/pdf", false},
    {"tar", "application/x-tar", true},
    {"tif", "image/tiff", true},
    {"tiff", "image/tiff", true},
    {"ts", "text/plain" TEXT, true}, /* TypeScript's declarations; the video type would play them */
    {"ttf", "font/ttf", true},
    {"txt", "text/plain" TEXT, true},
    {"vtt", "text/vtt" TEXT, true},
    {"wav", "audio/wav", true},
    {"weba", "audio/webm", false},
    {"webm", "video/webm", false},
    {"webmanifest", "application/manifest+json", true},
    {"webp", "image/webp", false},
    {"woff", "font/woff", false},
    {"xhtml", "application/xhtml+xml" TEXT, true},
    {"xml", "application/xml" TEXT, true},
    {"zip", "application/zip", false},
};

struct media_type media_type_of(const char *path)
{
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path, *dot = strrchr(name, '.');
    char lower[EXTENSION_BYTES_MAX + 1] = "";
    size_t i;

    if (dot && dot > name && strlen(dot + 1) <= EXTENSION_BYTES_MAX) {
        for (i = 0; dot[1 + i]; i++)
            lower[i] = (char)(dot[1 + i] >= 'A' && dot[1 + i] <= 'Z' ? dot[1 + i] | 0x20 : dot[1 + i]);
        for (i = 0; i < MW_COUNT(types); i++) {
            if (strcmp(types[i].extension, lower) == 0)
                return (struct media_type){types[i].name, true, types[i].is_worth_packing};
        }
    }
    return (struct media_type){"application/octet-stream", false, false};
}
