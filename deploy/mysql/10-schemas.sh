#!/bin/sh
# Run once, by the image, on an empty data folder: one schema per service, made by the services.
set -eu
MYSQL_PWD="$MYSQL_ROOT_PASSWORD" mysql --user=root <<SQL
GRANT ALL ON \`ec\\_%\`.* TO '$MYSQL_USER'@'%';
SQL
