//go:build integration

package main

import (
	"testing"

	"cartwheel/internal/kafka/kafkatest"
)

func TestProducerOnRealBroker(t *testing.T) {
	suite(t, func(t *testing.T) string { return kafkatest.Real(t) })
}
