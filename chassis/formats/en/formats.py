"""To the second and in UTC, as logs and answers do: what is read here is compared with them."""

DATE_FORMAT = "Y-m-d"
TIME_FORMAT = "H:i:s\\Z"
DATETIME_FORMAT = "Y-m-d H:i:s\\Z"
