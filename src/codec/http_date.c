/* HTTP dates, as IMF-fixdate (RFC 9110 §5.6.7): from seconds to text and back.
 * Not the clock; callers bring the seconds. The two obsolete forms are not read.
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

bool http_parse_date(struct http_text text, int64_t *ret_unix_s)
{
    char back[HTTP_DATE_BYTES];
    int day, month, year, hour, minute, second;
    const char *at = text.bytes;
    int64_t unix_s;

    if (text.count != HTTP_DATE_BYTES - 1)
        return false;
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
    if (memcmp(back, at, text.count) != 0)
        return false;
    *ret_unix_s = unix_s;
    return true;
}
