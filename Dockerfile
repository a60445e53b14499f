# One image with the four programs: they share most of their code, and whoever runs one runs the others.
FROM golang:1.26 AS build
# Empty means Go's own default; a network with a module mirror passes its address.
ARG GOPROXY
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
# The dependencies take minutes to compile, our own code seconds: so the former are a layer that a change in the latter keeps.
ENV CGO_ENABLED=0
RUN go build -trimpath \
    github.com/apache/spark-connect-go/v40/spark/sql \
    github.com/gin-gonic/gin \
    github.com/parquet-go/parquet-go \
    github.com/prometheus/client_golang/prometheus/promhttp \
    github.com/segmentio/kafka-go
COPY . .
RUN go build -trimpath -ldflags='-s -w' -o /image/ ./producer ./consumer ./sparkjobs/train ./api
RUN mkdir /image/etc && echo 'cartwheel:x:185:185::/:/sbin/nologin' >/image/etc/passwd

FROM scratch
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=build /image/ /
# The Spark images' user, so that either side may rename and remove what the other wrote under /data.
USER 185:185
