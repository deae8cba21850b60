/* HTTP dates (RFC 9110 §5.6.7): from seconds to text, IMF-fixdate, and back, in that form and the two obsolete ones.
 * Not the clock; callers bring the seconds.
 * SPDX-License-Identifier: MIT */
#include <string.h>

#include "codec/http_priv.h"

static const char day_names[7][4] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
static const char month_names[12][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                        "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

/* Days since 1970-01-01 of a date in the Gregorian calendar. Years begin in March here, so that the leap
 * day is the last one; 1970-01-01 is day 719,468 of that count. */
static int64_t days_of(int64_t year, int month, int day)
{
    int64_t y = month <= 2 ? year - 1 : year;
    int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;

    return y * 365 + y / 4 - y / 100 + y / 400 + day_of_year - 719468;
}

static void put_digits(char *at, int digits, int64_t value)
{
    while (digits-- > 0) {
        at[digits] = (char)('0' + value % 10);
        value /= 10;
    }
}

void http_format_date(char ret[HTTP_DATE_BYTES], int64_t unix_s)
{
    const int64_t last_s = INT64_C(253402300799); /* of the year 9999 */
    int64_t days, seconds, year;
    int month = 12, day;

    unix_s = unix_s < 0 ? 0 : unix_s > last_s ? last_s : unix_s;
    days = unix_s / 86400;
    seconds = unix_s % 86400;
    year = 1970 + days * 400 / 146097; /* right, or one too many */
    if (days_of(year, 1, 1) > days)
        year--;
    while (days_of(year, month, 1) > days)
        month--;
    day = (int)(days - days_of(year, month, 1)) + 1;
    memcpy(ret, "Xxx, 00 Xxx 0000 00:00:00 GMT", HTTP_DATE_BYTES);
    memcpy(ret, day_names[(days + 4) % 7], 3);
    put_digits(ret + 5, 2, day);
    memcpy(ret + 8, month_names[month - 1], 3);
    put_digits(ret + 12, 4, year);
    put_digits(ret + 17, 2, seconds / 3600);
    put_digits(ret + 20, 2, seconds / 60 % 60);
    put_digits(ret + 23, 2, seconds % 60);
}

/* Read so many digits; -1: there is something else. */
static int get_digits(const char *at, int digits)
{
    int value = 0, i;

    for (i = 0; i < digits; i++) {
        if (!http_is_digit((uint8_t)at[i]))
            return -1;
        value = value * 10 + (at[i] - '0');
    }
    return value;
}

/* An IMF-fixdate, HTTP_DATE_BYTES - 1 of them. */
static bool parse_fixed(const char *at, int64_t *ret_unix_s)
{
    char back[HTTP_DATE_BYTES];
    int day, month, year, hour, minute, second;
    int64_t unix_s;

    day = get_digits(at + 5, 2);
    year = get_digits(at + 12, 4);
    hour = get_digits(at + 17, 2);
    minute = get_digits(at + 20, 2);
    second = get_digits(at + 23, 2);
    for (month = 1; month <= 12 && memcmp(month_names[month - 1], at + 8, 3) != 0; month++)
        ;
    if (day < 1 || month > 12 || year < 1970 || hour < 0 || minute < 0 || second < 0)
        return false;
    unix_s = ((days_of(year, month, day) * 24 + hour) * 60 + minute) * 60 + second;
    /* Whatever is out of range, of another day of the week or otherwise spelled, prints differently. */
    http_format_date(back, unix_s);
    if (memcmp(back, at, HTTP_DATE_BYTES - 1) != 0)
        return false;
    *ret_unix_s = unix_s;
    return true;
}

/* "Sun Nov  6 08:49:37 1994", as C's asctime prints it. */
static bool parse_asctime(const char *at, int64_t *ret_unix_s)
{
    char fixed[HTTP_DATE_BYTES] = "Xxx, 00 Xxx 0000 00:00:00 GMT";

    if (at[3] != ' ' || at[7] != ' ' || at[10] != ' ' || at[19] != ' ' || at[8] == '0')
        return false;
    memcpy(fixed, at, 3);
    fixed[5] = at[8] == ' ' ? '0' : at[8];
    fixed[6] = at[9];
    memcpy(fixed + 8, at + 4, 3);
    memcpy(fixed + 12, at + 20, 4);
    memcpy(fixed + 17, at + 11, 8);
    return parse_fixed(fixed, ret_unix_s);
}

/* "Sunday, 06-Nov-94 08:49:37 GMT" of RFC 850, whose years have two digits: one more than 50 years ahead of now_s is of
 * the century before. */
static bool parse_rfc850(struct http_text text, int64_t now_s, int64_t *ret_unix_s)
{
    enum { BEHIND_THE_NAME = 24, YEAR_S = 31556952 };
    static const char *const names[7] = {"Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"};
    char fixed[HTTP_DATE_BYTES] = "Xxx, 00 Xxx 0000 00:00:00 GMT";
    const char *at = text.bytes + text.count - BEHIND_THE_NAME;
    size_t name_count = text.count - BEHIND_THE_NAME, i;
    int64_t century = (1970 + now_s / YEAR_S) / 100 * 100;

    for (i = 0; i < 7; i++) {
        if (strlen(names[i]) == name_count && memcmp(names[i], text.bytes, name_count) == 0)
            break;
    }
    if (i == 7 || at[0] != ',' || at[1] != ' ' || at[4] != '-' || at[8] != '-' || at[11] != ' ')
        return false;
    memcpy(fixed, names[i], 3);
    memcpy(fixed + 5, at + 2, 2);
    memcpy(fixed + 8, at + 5, 3);
    memcpy(fixed + 14, at + 9, 2);
    memcpy(fixed + 17, at + 12, 8);
    memcpy(fixed + 25, at + 20, 4);
    put_digits(fixed + 12, 2, century / 100);
    if (parse_fixed(fixed, ret_unix_s) && *ret_unix_s - now_s <= INT64_C(50) * YEAR_S)
        return true;
    put_digits(fixed + 12, 2, century / 100 - 1);
    return parse_fixed(fixed, ret_unix_s);
}

bool http_parse_date(struct http_text text, int64_t now_s, int64_t *ret_unix_s)
{
    enum { ASCTIME_BYTES = 24, RFC850_LEAST = 30 };

    if (text.count == HTTP_DATE_BYTES - 1)
        return parse_fixed(text.bytes, ret_unix_s);
    if (text.count == ASCTIME_BYTES)
        return parse_asctime(text.bytes, ret_unix_s);
    return text.count >= RFC850_LEAST && parse_rfc850(text, now_s, ret_unix_s);
}
